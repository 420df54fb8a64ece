#pragma once
// What operators ask of a router: bodies in, answers out. Pure.

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/router/router.h"
#include "launch/api/api_error.h"

namespace ferry {

struct DrainCall {
  std::string group;
  bool undo = false;
};
std::variant<DrainCall, ApiError> parse_drain(std::string_view body);

ApiError no_such_group(std::string_view group, const std::vector<Router::GroupReport>& groups);

// {"group", "state", "requests"}, of the group of that name.
std::string drain_answer(std::string_view group, const std::vector<Router::GroupReport>& groups);
// {"groups": [{"group", "state", "requests"}]}
std::string group_list(const std::vector<Router::GroupReport>& groups);

}  // namespace ferry
