#include "launch/api/read_fields.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/quoted.h"
#include "launch/io/json_line.h"

namespace ferry {

namespace {
constexpr int kMostLevels = 32;
}

std::optional<ApiError> read_fields(
    std::string_view body, std::span<const std::string_view> known,
    const std::function<Problem(const std::string& name, const nlohmann::json& value)>& set) {
  try {
    const nlohmann::json object = parse_json(body, kMostLevels);
    if (!object.is_object()) return bad_request("The body must be a JSON object");
    for (const auto& [name, value] : object.items()) {
      if (std::ranges::find(known, name) == known.end()) {
        return bad_request(fmt::format("{}: unknown field; fields are {}", ferry::quoted(name), fmt::join(known, ", ")),
                           name, "unknown_parameter");
      }
      const Problem problem = value.is_null() ? Problem() : set(name, value);
      if (!problem.empty()) return bad_request(fmt::format("{}: {}", name, problem), name, "invalid_value");
    }
  } catch (const Error& e) {
    return bad_request(str("The body cannot be read: ", e.what()));
  }
  return std::nullopt;
}

}  // namespace ferry
