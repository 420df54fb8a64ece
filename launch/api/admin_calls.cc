#include "launch/api/admin_calls.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/base/error.h"
#include "core/base/plain_text.h"
#include "core/base/quoted.h"
#include "launch/api/read_fields.h"
#include "launch/io/result_json.h"

namespace ferry {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::string_view kDrainFields[] = {"group", "undo"};

Problem set_name(const json& value, std::string& out) {
  if (value.is_string() && is_plain_name(value.get_ref<const std::string&>())) return set_text(value, out);
  return expected("a name of letters, digits, '.', '_' and '-'", value);
}

ordered_json json_of(const Router::GroupReport& group) {
  return {{"group", group.name}, {"state", name_of(group.state)}, {"requests", group.n_requests}};
}

}  // namespace

std::variant<DrainCall, ApiError> parse_drain(std::string_view body) {
  DrainCall call;
  const auto set = [&call](const std::string& name, const json& value) {
    return name == "undo" ? set_flag(value, call.undo) : set_name(value, call.group);
  };
  if (const auto error = read_fields(body, kDrainFields, set)) return *error;
  if (call.group.empty()) return bad_request("group is missing", "group", "missing_parameter");
  return call;
}

ApiError no_such_group(std::string_view group, const std::vector<Router::GroupReport>& groups) {
  std::string names;
  for (const auto& other : groups) names += (names.empty() ? "" : ", ") + other.name;
  ApiError error = bad_request(
      str("No group ", ferry::quoted(group), " has joined; ", names.empty() ? "none has" : "these have: " + names),
      "group", "group_not_found");
  error.status = 404;
  return error;
}

std::string drain_answer(std::string_view group, const std::vector<Router::GroupReport>& groups) {
  const auto found = std::ranges::find(groups, group, &Router::GroupReport::name);
  check(found != groups.end(), "who was drained is there");
  return text_of(json_of(*found));
}

std::string group_list(const std::vector<Router::GroupReport>& groups) {
  ordered_json list = ordered_json::array();
  for (const auto& group : groups) list.push_back(json_of(group));
  return text_of({{"groups", list}});
}

}  // namespace ferry
