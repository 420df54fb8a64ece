#pragma once
// A body that is a JSON object of a few fields.

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "launch/api/api_error.h"
#include "launch/io/json_fields.h"

namespace ferry {

// Hands each field of `known` that is there, and not null, to `set`; what is wrong with the body, or with a field.
std::optional<ApiError> read_fields(
    std::string_view body, std::span<const std::string_view> known,
    const std::function<Problem(const std::string& name, const nlohmann::json& value)>& set);

}  // namespace ferry
