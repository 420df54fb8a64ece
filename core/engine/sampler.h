#pragma once
// The choice of the next token. A pure function of the logits, the request and the token's place in its sequence: the
// same seed gives the same text on any split of the model and in any batch.

#include <span>

#include "core/engine/request.h"

namespace ferry {

// logits [n_vocab]; position: of the chosen token in its sequence, prompt included. Greedy takes the lowest id among
// equals.
Token next_token(std::span<const float> logits, const Request& request, int position);

}  // namespace ferry
