#pragma once
// Prompts in the forms that OpenAI's API knows.

#include <nlohmann/json.hpp>
#include <vector>

#include "launch/io/json_fields.h"
#include "launch/io/prompts.h"

namespace ferry {

// A conversation. A content is a text, or a list of parts that are texts; "developer" is the newer name of "system".
Problem set_conversation(const nlohmann::json& value, std::vector<Message>& out);

// A text, a list of texts, token ids, or a list of lists of token ids.
Problem set_prompts(const nlohmann::json& value, std::vector<Prompt>& out);

}  // namespace ferry
