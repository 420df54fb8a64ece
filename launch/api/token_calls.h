#pragma once
// POST /tokenize and /detokenize: a body in, a body or an error out. Fields and answers as vLLM has them.

#include <string>
#include <string_view>
#include <variant>

#include "launch/api/completion_request.h"
#include "launch/front/text_model.h"

namespace ferry {

std::variant<std::string, ApiError> tokenize(std::string_view body, const TextModel& model, const ApiRules& rules);
std::variant<std::string, ApiError> detokenize(std::string_view body, const TextModel& model, const ApiRules& rules);

}  // namespace ferry
