#pragma once
// The choice of the next token. A pure function of the logits, the request and the sequence so far: the same seed gives
// the same text on any split of the model, in any batch, and when an attempt goes on where another one failed.

#include <span>

#include "core/engine/request.h"

namespace ferry {

// logits [n_vocab]; tokens: the prompt and what was generated; end_tokens: not chosen before request.min_tokens. Greedy
// takes the lowest id among equals. Logprobs are the model's own, whatever penalties and biases do to the choice.
//
// Penalties as in OpenAI's API (presence, frequency: of what was generated) and in CTRL (repetition: arXiv:1909.05858,
// section 4.1; of the prompt, too).
Token next_token(std::span<const float> logits, const Request& request, std::span<const int> tokens,
                 std::span<const int> end_tokens);

}  // namespace ferry
