#pragma once
// Logprobs in the two shapes of OpenAI's API.

#include <nlohmann/json.hpp>
#include <span>

#include "core/engine/request.h"
#include "core/text/tokenizer.h"

namespace ferry {

// Of chat: {"content": [{"token", "logprob", "bytes", "top_logprobs"}], "refusal": null}.
nlohmann::ordered_json chat_logprobs(std::span<const Token> tokens, const Tokenizer& tokenizer);

// Of text: {"tokens", "token_logprobs", "top_logprobs", "text_offset"}. `offset` counts the characters of the text that
// begin before each token, and goes on over the tokens.
nlohmann::ordered_json text_logprobs(std::span<const Token> tokens, const Tokenizer& tokenizer, size_t& offset);

// The same of a prompt, whose first token has none: nothing is before it. `rest` are its other tokens.
nlohmann::ordered_json prompt_logprobs(int first, std::span<const Token> rest, const Tokenizer& tokenizer);

// Adds what follows to its lists.
void append_text_logprobs(nlohmann::ordered_json&& more, nlohmann::ordered_json& all);

}  // namespace ferry
