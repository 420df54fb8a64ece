// What each side does when one thing fails: the failure table of the handoff, row by row.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/sim/fake_model.h"
#include "tests/sim/world.h"

namespace ferry::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Host kP0 = 0, kP1 = 1, kD0 = 2, kD1 = 3, kRouter = 4;

Schedule calm() {
  const auto group = [](std::string name, wire::Role role, int tp) {
    return GroupPlan{.name = std::move(name), .role = role, .tp = tp, .n_pages = 40};
  };
  return {.seed = 1,
          .groups = {group("p0", wire::Role::prefill, 2), group("p1", wire::Role::prefill, 1),
                     group("d0", wire::Role::decode, 3), group("d1", wire::Role::decode, 2)},
          .detection = milliseconds(20)};
}

class FailureTable : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(world.wait_for([&] { return router().router().paths().size() == 4; }, seconds(1)));
  }

  SimRouter& router() { return world.router(); }
  const Engine& engine(Host host) { return world.group(host).engine(); }
  wire::Stats stats(Host host) { return engine(host).stats(); }

  RequestId ask(int n_prompt, int max_tokens, Duration budget = std::chrono::minutes(1)) {
    std::vector<int> prompt(n_prompt);
    for (int i = 0; i < n_prompt; ++i) prompt[i] = 1 + (i * 7 + n_prompt) % (kVocabulary - 1);
    return *router().submit(
        {.request = {.prompt = prompt, .max_tokens = max_tokens, .ignore_eos = true}, .budget = budget});
  }
  // The event that ended it, when it has.
  const RequestEvent& answer(RequestId id) { return router().clients().last_word(id); }
  void expect_served(RequestId id) { EXPECT_TRUE(served(id)) << answer(id).error; }
  bool served(RequestId id) {
    return world.wait_for([&] { return answer(id).last(); }, seconds(5)) && answer(id).error.empty();
  }
  void expect_rest_within(Duration bound) {
    EXPECT_TRUE(world.wait_for([&] { return world.at_rest(); }, bound));
  }

  // The group of two in which something is the case now; it has to come to that.
  Host one_of(Host a, Host b, const std::function<bool(Host)>& holds) {
    EXPECT_TRUE(world.wait_for([&] { return holds(a) || holds(b); }, seconds(2)));
    return holds(a) ? a : b;
  }
  Host prefilling() {
    return one_of(kP0, kP1, [&](Host h) { return stats(h).n_running > 0; });
  }
  Host reserving() {
    return one_of(kD0, kD1, [&](Host h) { return stats(h).n_reserved > 0; });
  }
  Host decoding() {
    return one_of(kD0, kD1, [&](Host h) { return stats(h).n_running > 0; });
  }
  void begin(FaultKind kind, Host a, Host b, Duration lasts, double severity = 1) {
    world.begin({.kind = kind, .lasts = lasts, .a = a, .b = b, .severity = severity});
  }
  void crash(Host host) { begin(FaultKind::crash_forever, host, host, {}); }

  Schedule schedule = calm();
  World world{schedule};
};

TEST_F(FailureTable, AClientThatGoesAwayFreesBothGroupsWithinASecond) {
  const RequestId id = ask(48, 8);
  prefilling();
  reserving();
  router().cancel(id);
  expect_rest_within(seconds(1));
  EXPECT_FALSE(answer(id).last()) << "nobody is told";
}

TEST_F(FailureTable, WhenAPrefillGroupDiesItsPagesAtDecodeWaitInQuarantineAndAnotherGroupPrefills) {
  const RequestId id = ask(48, 4);
  const Host dead = prefilling(), decode = reserving();
  crash(dead);
  EXPECT_TRUE(world.wait_for([&] { return stats(decode).pages.quarantined > 0; }, seconds(2))) << "noticed within 2 s";
  expect_served(id);
  EXPECT_EQ(answer(id).account.attempts, 2);
  EXPECT_EQ(answer(id).account.prefill, dead == kP0 ? "p1" : "p0");
  expect_rest_within(seconds(1));
}

TEST_F(FailureTable, WhenADecodeGroupDiesAnotherOneGoesOnAndWhatPrefillStillHoldsIsNotComputedAgain) {
  const RequestId id = ask(48, 12);
  const Host dead = decoding();
  ASSERT_TRUE(world.wait_for([&] { return !answer(id).tokens.empty(); }, seconds(1)));
  const std::string prefill = answer(id).account.prefill;
  crash(dead);
  expect_served(id);
  EXPECT_EQ(answer(id).account.attempts, 2);
  EXPECT_EQ(answer(id).account.decode, dead == kD0 ? "d1" : "d0");
  EXPECT_EQ(answer(id).account.prefill, prefill);
  const Host at = prefill == "p0" ? kP0 : kP1;
  EXPECT_GE(stats(at).n_found_tokens, 44u) << "the prompt's whole pages";
  expect_rest_within(seconds(1));
}

TEST_F(FailureTable, APutThatFailsEndsItsPairAndAnotherPrefillGroupServes) {
  for (const Host decode : {kD0, kD1}) begin(FaultKind::fail, kP0, decode, seconds(1));
  for (int i = 0; i < 4; ++i) {
    const RequestId id = ask(20 + i, 4);
    expect_served(id);
    EXPECT_EQ(answer(id).account.prefill, "p1");
    for (const Account::Retry& retry : answer(id).account.retries) EXPECT_NE(retry.why, "");
  }
  EXPECT_GT(router().router().counters().retries[0] + router().router().counters().retries[1], 0u);
  expect_rest_within(seconds(1));
}

TEST_F(FailureTable, AGroupWithoutNumbersIsNotMissed) {
  begin(FaultKind::blank, kP0, kP0, seconds(20), 1);
  for (int i = 0; i < 8; ++i) {
    const RequestId id = ask(20 + i, 4);
    expect_served(id);
    EXPECT_EQ(answer(id).account.prefill, "p1");
  }
  expect_rest_within(seconds(1));
}

TEST_F(FailureTable, WhatNoGroupMakesNumbersOfFailsAndLeavesNothingBehind) {
  for (const Host h : {kP0, kP1, kD0, kD1}) begin(FaultKind::blank, h, h, seconds(20), 1);
  const RequestId id = ask(20, 4);
  ASSERT_TRUE(world.wait_for([&] { return !answer(id).error.empty(); }, seconds(1)));
  EXPECT_THAT(answer(id).error, testing::HasSubstr("no finite numbers"));
  expect_rest_within(seconds(1));
}

TEST_F(FailureTable, WhereEveryPutFailsDecodeGroupsPrefillThemselves) {
  for (const Host prefill : {kP0, kP1}) {
    for (const Host decode : {kD0, kD1}) begin(FaultKind::fail, prefill, decode, seconds(20));
  }
  const RequestId id = ask(20, 4);
  expect_served(id);
  const Account& account = answer(id).account;
  EXPECT_EQ(account.prefill, account.decode);
  EXPECT_EQ(account.retries.back().rung, Rung::colocated);
  expect_rest_within(seconds(1));
}

TEST_F(FailureTable, APathThatIsTooSlowIsLeftInTimeForAnotherTry) {
  for (const Host decode : {kD0, kD1}) begin(FaultKind::slow, kP0, decode, seconds(20), 5000);
  for (int i = 0; i < 4; ++i) expect_served(ask(20 + i, 4, milliseconds(800)));
  EXPECT_GT(router().router().counters().retries[0] + router().router().counters().retries[1], 0u);
}

TEST_F(FailureTable, MessagesThatComeLateTwiceOrOutOfOrderChangeNothing) {
  for (Host a = 0; a <= kRouter; ++a) {
    for (Host b = a + 1; b <= kRouter; ++b) {
      begin(FaultKind::repeat, a, b, milliseconds(500));
      begin(FaultKind::reorder, a, b, milliseconds(500), 0.3);
    }
  }
  for (int i = 0; i < 8; ++i) expect_served(ask(10 + 3 * i, 3));
  uint64_t n_stale = router().router().counters().stale;
  for (const Host h : {kP0, kP1, kD0, kD1}) n_stale += stats(h).n_stale;
  EXPECT_GT(n_stale, 0u) << "they were counted";
  expect_rest_within(seconds(1));
}

TEST_F(FailureTable, WhenTheRouterDiesGroupsFreeEverythingAndServeItsSuccessor) {
  for (int i = 0; i < 4; ++i) ask(30 + i, 8);
  decoding();
  begin(FaultKind::crash, kRouter, kRouter, milliseconds(50));
  const auto all_free = [&] {
    const std::vector<Host> all = {kP0, kP1, kD0, kD1};
    return std::all_of(all.begin(), all.end(),
                       [&](Host h) { return stats(h).idle() && stats(h).pages.free == stats(h).pages.total(); });
  };
  EXPECT_TRUE(world.wait_for(all_free, seconds(1)));
  const auto joined = [&] { return router().process().running() && router().router().paths().size() == 4; };
  ASSERT_TRUE(world.wait_for(joined, seconds(2))) << "they dial again";
  const RequestId id = ask(30, 8);
  EXPECT_EQ(id, 1) << "numbers begin anew, and are others";
  expect_served(id);
  expect_rest_within(seconds(1));
}

TEST_F(FailureTable, AGroupThatRestartsUnderItsNameIsAnotherOne) {
  const RequestId first = ask(48, 8);
  const Host restarted = prefilling();
  const wire::GroupKey before = world.group(restarted).key();
  begin(FaultKind::crash, restarted, restarted, milliseconds(1));
  ASSERT_TRUE(world.wait_for([&] { return world.group(restarted).key() != before; }, seconds(1)));
  EXPECT_EQ(world.group(restarted).key().name, before.name);
  expect_served(first);
  ASSERT_TRUE(world.wait_for([&] { return router().router().paths().size() == 4; }, seconds(5)));
  std::vector<RequestId> more;
  for (int i = 0; i < 8; ++i) more.push_back(ask(20 + i, 4));
  for (const RequestId id : more) expect_served(id);
  EXPECT_GT(stats(restarted).n_prompt_tokens, 0u) << "it serves again";
  expect_rest_within(seconds(1));
}

TEST(FailureTableOfASmallPool, AFullDecodePoolQueuesAtTheRouterAndAFullQueueSaysSo) {
  Schedule schedule = calm();
  for (const Host decode : {kD0, kD1}) schedule.groups[decode].n_pages = 6;
  schedule.most_queued = 6;
  World world(schedule);
  ASSERT_TRUE(world.wait_for([&] { return world.router().router().paths().size() == 4; }, seconds(1)));
  std::vector<RequestId> all;
  const RequestPlan plan = {.request = {.prompt = std::vector<int>(14, 3), .max_tokens = 6, .ignore_eos = true},
                            .budget = seconds(10)};
  for (int i = 0; i < 12; ++i) all.push_back(*world.router().submit(plan));
  EXPECT_TRUE(world.wait_for([&] { return world.router().clients().n_waiting() == 0; }, seconds(5)));
  int n_served = 0, n_overloaded = 0;
  for (const RequestId id : all) {
    const RequestEvent& end = world.router().clients().last_word(id);
    n_served += end.error.empty();
    n_overloaded += !end.error.empty() && end.fault == ferry::Fault::overloaded;
  }
  EXPECT_EQ(n_served, 6);
  EXPECT_EQ(n_overloaded, 6);
  EXPECT_GT(world.router().router().counters().full, 0u);
  EXPECT_TRUE(world.wait_for([&] { return world.at_rest(); }, seconds(1)));
}

}  // namespace
}  // namespace ferry::sim
