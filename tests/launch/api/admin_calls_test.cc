#include "launch/api/admin_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace ferry {
namespace {

using nlohmann::json;
using testing::HasSubstr;

Router::GroupReport group(const std::string& name, GroupState state, int n_requests) {
  Router::GroupReport report;
  report.name = name;
  report.state = state;
  report.n_requests = n_requests;
  return report;
}

TEST(AdminCalls, ADrainNamesAGroupAndMayBeUndone) {
  EXPECT_EQ(std::get<DrainCall>(parse_drain(R"({"group": "decode-0"})")).group, "decode-0");
  EXPECT_FALSE(std::get<DrainCall>(parse_drain(R"({"group": "decode-0", "undo": null})")).undo);
  EXPECT_TRUE(std::get<DrainCall>(parse_drain(R"({"group": "decode-0", "undo": true})")).undo);
}

TEST(AdminCalls, WhatIsNoNameOrNoCallIsRefused) {
  const std::pair<const char*, const char*> bad[] = {{R"({})", "group"},
                                                     {R"({"group": ""})", "group"},
                                                     {R"({"group": "-x"})", "group"},
                                                     {R"({"group": 7})", "group"},
                                                     {R"({"group": "a b"})", "group"},
                                                     {R"({"group": "a\u001b[2J"})", "group"},
                                                     {R"({"group": "a", "undo": "yes"})", "undo"},
                                                     {R"({"group": "a", "force": true})", "force"}};
  for (const auto& [body, param] : bad) {
    const auto call = parse_drain(body);
    const auto* error = std::get_if<ApiError>(&call);
    ASSERT_NE(error, nullptr) << body;
    EXPECT_EQ(error->status, 400) << body;
    EXPECT_EQ(error->param, param) << body;
  }
  EXPECT_EQ(std::get<ApiError>(parse_drain("[]")).status, 400);
  EXPECT_EQ(std::get<ApiError>(parse_drain("{")).status, 400);
}

TEST(AdminCalls, AnUnknownGroupIsToldWhichThereAre) {
  const ApiError none = no_such_group("d7", {});
  EXPECT_EQ(none.status, 404);
  EXPECT_THAT(none.message, HasSubstr("'d7'"));
  EXPECT_THAT(none.message, HasSubstr("none has"));
  const ApiError error = no_such_group("d7", {group("d0", GroupState::ready, 0), group("p0", GroupState::ready, 0)});
  EXPECT_THAT(error.message, HasSubstr("d0, p0"));
}

TEST(AdminCalls, AnswersSayWhatGroupsAreAt) {
  const std::vector<Router::GroupReport> groups = {group("d0", GroupState::draining, 2),
                                                   group("d1", GroupState::drained, 0)};
  EXPECT_EQ(json::parse(drain_answer("d0", groups)),
            json::parse(R"({"group": "d0", "state": "draining", "requests": 2})"));
  EXPECT_EQ(json::parse(group_list(groups)), json::parse(R"({"groups": [
      {"group": "d0", "state": "draining", "requests": 2}, {"group": "d1", "state": "drained", "requests": 0}]})"));
}

}  // namespace
}  // namespace ferry
