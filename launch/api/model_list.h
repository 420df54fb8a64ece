#pragma once
// GET /v1/models and /v1/models/{id}.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "launch/api/completion_request.h"

namespace ferry {

// started: Unix time, in seconds.
std::string model_list(const ApiRules& rules, int64_t started);
std::variant<std::string, ApiError> model_entry(std::string_view id, const ApiRules& rules, int64_t started);

}  // namespace ferry
