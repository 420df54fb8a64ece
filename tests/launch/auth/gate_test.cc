#include "launch/auth/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "launch/auth/credentials.h"
#include "launch/auth/key_file.h"
#include "tests/support/scratch_folder.h"

namespace ferry {
namespace {

using testing::HasSubstr;

TEST(Credentials, AreTheBearersOrAPassword) {
  EXPECT_EQ(key_in("Bearer abc"), "abc");
  EXPECT_EQ(key_in("bEARER   abc"), "abc");
  EXPECT_EQ(key_in("Basic bWU6YWJj"), "abc");       // me:abc
  EXPECT_EQ(key_in("Basic bWU6YTpiYw=="), "a:bc");  // me:a:bc
  for (const std::string none : {"", "Bearer", "Bearer ", "abc", "Bearerabc", "Basic", "Basic ?",
                                 "Basic ====", "Basic bWU=", "Basic bWU6YWJ", "Digest abc"}) {
    EXPECT_EQ(key_in(none), "") << none;
  }
  EXPECT_EQ(key_in("Bearer " + std::string(5000, 'a')), "");
}

class GateTest : public testing::Test {
 protected:
  void SetUp() override {
    NewKey key = make_key("alice");
    key.kept.max_streams = 3;
    key.kept.weight = 2;
    add_key(config_.keys, key.kept);
    alice_ = "Bearer " + key.shown;
  }

  static int status(const std::variant<Gate::Place, ApiError>& answer) {
    const auto* error = std::get_if<ApiError>(&answer);
    return error ? error->status : 200;
  }

  const ScratchFolder scratch_;
  const RouterConfig config_ = {.keys = scratch_.path() / "keys", .limits = {.queued_per_key = 2}};
  std::string alice_;
};

TEST_F(GateTest, WithoutAFileEverybodyComesInAndHasNoLimit) {
  const RouterConfig open;
  Gate gate(open);
  const auto caller = gate.identify("");
  EXPECT_EQ(std::get<Caller>(caller).key, "");
  EXPECT_EQ(status(gate.admit(std::get<Caller>(caller), 1 << 20)), 200);
}

TEST_F(GateTest, WhoHasNoKeyOrAWrongOneIsToldSo) {
  Gate gate(config_);
  for (const std::string& shown : {std::string(), std::string("Bearer none"), alice_ + "0"}) {
    const auto refused = gate.identify(shown);
    const auto* error = std::get_if<ApiError>(&refused);
    ASSERT_NE(error, nullptr) << shown;
    EXPECT_EQ(error->status, 401);
    EXPECT_EQ(error->code, "invalid_api_key");
  }
  EXPECT_THAT(gate.metrics_text(), HasSubstr("ferry_http_refused_total{why=\"no_key\"} 1\n"));
  EXPECT_THAT(gate.metrics_text(), HasSubstr("ferry_http_refused_total{why=\"wrong_key\"} 2\n"));
}

TEST_F(GateTest, OnlyAnAdminsKeyMayOperateTheClusterWhereverItIsUsed) {
  NewKey root = make_key("root");
  root.kept.admin = true;
  add_key(config_.keys, root.kept);
  Gate gate(config_);
  const auto status_of = [&](const std::string& shown, Origin origin) {
    const auto objection = gate.objection_to_admin(std::get<Caller>(gate.identify(shown)), origin);
    return objection ? objection->status : 200;
  };
  EXPECT_EQ(status_of("Bearer " + root.shown, Origin::elsewhere), 200);
  EXPECT_EQ(status_of(alice_, Origin::this_host), 403);
  EXPECT_THAT(gate.metrics_text(), HasSubstr("ferry_http_refused_total{why=\"not_admin\"} 1\n"));
}

TEST(GateWithoutKeys, LetsThisHostOperateTheClusterAndNoOther) {
  const RouterConfig open;
  Gate gate(open);
  const Caller caller = std::get<Caller>(gate.identify(""));
  EXPECT_FALSE(gate.objection_to_admin(caller, Origin::this_host));
  EXPECT_EQ(gate.objection_to_admin(caller, Origin::elsewhere)->status, 403);
}

TEST(Caller, SeesItsOwnRequestsUnlessItIsAnAdminOrNobodyNeedsAKey) {
  const Caller alice = {.key = "alice"}, root = {.key = "root", .admin = true}, anybody;
  EXPECT_TRUE(alice.may_see("alice"));
  EXPECT_FALSE(alice.may_see("bob"));
  EXPECT_FALSE(alice.may_see("")) << "of before there were keys";
  EXPECT_TRUE(root.may_see("alice"));
  EXPECT_TRUE(anybody.may_see(""));
}

TEST_F(GateTest, AKeyHasItsWeightAndItsLimits) {
  Gate gate(config_);
  const auto caller = std::get<Caller>(gate.identify(alice_));
  EXPECT_EQ(caller.key, "alice");
  EXPECT_EQ(caller.weight, 2);
  EXPECT_EQ(caller.max_streams, 3) << "its own";
  EXPECT_EQ(caller.max_queued, 2) << "that of all";
}

TEST_F(GateTest, ChoicesTakeUpPlacesUntilTheyEnd) {
  Gate gate(config_);
  const auto caller = std::get<Caller>(gate.identify(alice_));
  EXPECT_EQ(status(gate.admit(caller, 3)), 400) << "these could never wait together";
  {
    auto two = gate.admit(caller, 2);
    ASSERT_EQ(status(two), 200);
    EXPECT_EQ(status(gate.admit(caller, 1)), 429) << "two wait";
    std::get<Gate::Place>(two).one_began();
    auto third = gate.admit(caller, 1);
    ASSERT_EQ(status(third), 200);
    std::get<Gate::Place>(two).one_began();
    std::get<Gate::Place>(third).one_began();
    const auto fourth = gate.admit(caller, 1);
    ASSERT_EQ(status(fourth), 429) << "three run";
    EXPECT_EQ(std::get<ApiError>(fourth).code, "rate_limit_exceeded");
    EXPECT_TRUE(std::get<ApiError>(fourth).retry_after_s);
    EXPECT_THAT(gate.metrics_text(), HasSubstr("ferry_key_choices{key=\"alice\",state=\"begun\"} 3\n"));
  }
  EXPECT_THAT(gate.metrics_text(), HasSubstr("ferry_key_choices{key=\"alice\",state=\"begun\"} 0\n"));
  EXPECT_EQ(status(gate.admit(caller, 2)), 200);
}

}  // namespace
}  // namespace ferry
