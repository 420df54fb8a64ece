// Which request is next, and where it goes.

#include <numeric>

#include "tests/core/router/played_groups.h"

namespace ferry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

std::vector<int> prompt_of(int n, int first = 0) {
  std::vector<int> prompt(n);
  std::iota(prompt.begin(), prompt.end(), first);
  return prompt;
}

class Policy : public TwoByTwo {
 protected:
  void ask(RequestId id, std::vector<int> prompt, const Tenant& tenant = {}) {
    router.submit({.id = id, .prompt = std::move(prompt), .max_tokens = 3}, std::chrono::seconds(60), tenant);
    router.tick();
  }
  // Ids of the requests that the group was asked to reserve for, since the last call.
  std::vector<RequestId> asked(StreamId decode) {
    std::vector<RequestId> ids;
    for (const auto& m : sent<wire::Reserve>(decode)) ids.push_back(m.request.id);
    return ids;
  }
  StreamId prefill_of(RequestId id, int n = 1) {
    reserved(kD0, id, n);
    for (const StreamId prefill : {kP0, kP1}) {
      for (const auto& m : sent<wire::Prefill>(prefill)) {
        if (m.request.id == id) return prefill;
      }
    }
    return 0;
  }
  void serve(RequestId id, int n = 1) { tokens(kD0, id, n, 0, {1, 2, 3}, Finish::length); }
  void fail_transfer(RequestId id, int n) {
    router.message(kD0, wire::Failed{.attempt = attempt(id, n), .cause = wire::Cause::transfer, .why = "torn"});
    router.tick();
  }
  std::vector<std::pair<RequestId, std::string>> failures() {
    std::vector<std::pair<RequestId, std::string>> failed;
    for (RequestEvent& e : router.take_events()) {
      if (!e.error.empty()) failed.emplace_back(e.id, std::move(e.error));
    }
    return failed;
  }
  GroupState state(const std::string& name) {
    for (const auto& g : router.groups()) {
      if (g.name == name) return g.state;
    }
    ADD_FAILURE() << "no group " << name;
    return {};
  }
};

TEST_F(Policy, WhoHasAHigherPriorityGoesFirst) {
  for (RequestId id = 1; id <= 2; ++id) ask(id, {1});  // all that fits
  ask(3, {1}, {.priority = Priority::low});
  ask(4, {1}, {.priority = Priority::normal});
  ask(5, {1}, {.priority = Priority::high});
  EXPECT_THAT(asked(kD0), ElementsAre(1, 2));
  EXPECT_EQ(router.n_waiting(Priority::low), 1);
  for (RequestId id = 1; id <= 2; ++id) serve(id);
  router.tick();
  EXPECT_THAT(asked(kD0), ElementsAre(5, 4));
}

TEST_F(Policy, WhoAsksForLittleDoesNotWaitBehindWhoAsksForMuch) {
  for (RequestId id = 1; id <= 6; ++id) ask(id, {1}, {.key = "greedy"});
  ask(7, {1}, {.key = "modest"});
  for (RequestId id = 1; id <= 2; ++id) serve(id);
  router.tick();
  EXPECT_THAT(asked(kD0), ElementsAre(1, 2, 7, 3));
}

TEST_F(Policy, WhatTheDecodeGroupHasNoRoomForKeepsItsTurn) {
  ask(1, {1});
  ask(2, {1});
  EXPECT_THAT(asked(kD0), ElementsAre(1, 2));
  router.message(kD0, wire::Full{.attempt = attempt(1, 1), .retry_after_ms = 20});
  ask(3, {1});
  clock.advance(std::chrono::milliseconds(30));
  router.tick();
  EXPECT_THAT(asked(kD0), ElementsAre(1));
}

TEST_F(Policy, APromptGoesWhereItsBeginningWasComputed) {
  another_prefill();
  ask(1, prompt_of(40));
  const StreamId first = prefill_of(1);
  serve(1);
  ask(2, prompt_of(40, 500));
  EXPECT_EQ(prefill_of(2), kP0) << "nothing is known of it, and both are idle";
  serve(2);
  ask(3, prompt_of(60));
  EXPECT_EQ(prefill_of(3), first);
}

TEST_F(Policy, ButNotWhenItWouldWaitThereForLongerThanItTakes) {
  another_prefill();
  ask(1, prompt_of(40));
  const StreamId first = prefill_of(1);
  serve(1);
  ask(2, prompt_of(90));  // shares its beginning, and keeps that group busy
  EXPECT_EQ(prefill_of(2), first);
  ask(3, prompt_of(33));
  EXPECT_EQ(prefill_of(3), first == kP0 ? kP1 : kP0);
}

TEST_F(Policy, AGroupThatIsDrainedGetsNothingNewAndEndsWhatItHas) {
  another_prefill();
  ask(1, {1});
  const StreamId busy = prefill_of(1);
  const std::string name = busy == kP0 ? "p0" : "p1";
  EXPECT_TRUE(router.drain(name, true));
  EXPECT_FALSE(router.drain("p7", true));
  EXPECT_EQ(state(name), GroupState::draining);
  ask(2, {1});
  EXPECT_NE(prefill_of(2), busy);
  serve(1);
  EXPECT_EQ(state(name), GroupState::drained);
  router.drain(name, false);
  EXPECT_EQ(state(name), GroupState::ready);
}

TEST_F(Policy, WhereAllGroupsOfARoleAreDrainedRequestsFailAndSaySoUntilOneIsBack) {
  ask(1, {1});
  router.drain("d0", true);
  ask(2, {1});
  EXPECT_THAT(failures(), ElementsAre(Pair(2, "all decode groups are drained: d0")));
  reserved(kD0, 1, 1);
  serve(1);
  EXPECT_THAT(told(1), ElementsAre(1, 2, 3)) << "what it had, it ends";
  asked(kD0);

  router.drain("d0", false);
  router.drain("p0", true);
  ask(3, {1});
  EXPECT_THAT(failures(), ElementsAre(Pair(3, "all prefill groups are drained: p0")));
  router.drain("p0", false);
  ask(4, {1});
  EXPECT_THAT(failures(), ElementsAre());
  EXPECT_THAT(asked(kD0), ElementsAre(4));
}

TEST_F(Policy, WhatWaitsWhenTheLastGroupIsDrainedFailsWithTheRest) {
  for (RequestId id = 1; id <= 3; ++id) ask(id, {1});  // the third has no room
  router.drain("d0", true);
  router.tick();
  EXPECT_THAT(failures(), ElementsAre(Pair(3, HasSubstr("drained"))));
  EXPECT_EQ(router.n_served(), 2);
}

TEST_F(Policy, AnAttemptThatFailsWhereAllAreDrainedIsNotTriedUntilItsDeadline) {
  ask(1, {1});
  router.drain("d0", true);
  fail_transfer(1, 1);
  EXPECT_THAT(failures(), ElementsAre(Pair(1, HasSubstr("drained"))));
}

TEST_F(Policy, AGroupThatFailsAllTheTimeIsLeftAloneAndThenProbed) {
  ask(1, {1});
  for (int n = 1; state("d0") == GroupState::ready; ++n) {
    ASSERT_LE(n, Breaker::kMostFailures);
    fail_transfer(1, n);
  }
  EXPECT_EQ(state("d0"), GroupState::failing);
  asked(kD0);
  ask(2, {1});
  EXPECT_THAT(asked(kD0), ElementsAre());
  clock.advance(Breaker::kFirstPause);
  router.tick();
  EXPECT_EQ(state("d0"), GroupState::probed);
  EXPECT_EQ(router.n_waiting(), 1) << "one of the two: a single probe";
}

TEST_F(Policy, AGroupThatMakesNoNumbersOfWhatOthersServeIsLeftAlone) {
  another_prefill();
  int n_failed = 0;
  for (RequestId id = 1; id <= 40; ++id) {
    ask(id, {static_cast<int>(id)});
    if (prefill_of(id) == kP0) {
      ASSERT_LT(n_failed, Breaker::kMostFailures) << "it is left alone";
      router.message(kP0, wire::Failed{.attempt = attempt(id, 1), .cause = wire::Cause::numbers, .why = "no numbers"});
      router.tick();
      ASSERT_EQ(prefill_of(id, 2), kP1);
      ++n_failed;
    }
    serve(id, router.request(id)->account.attempts);
  }
  EXPECT_EQ(n_failed, Breaker::kMostFailures);
  EXPECT_EQ(state("p0"), GroupState::failing);
  EXPECT_EQ(state("p1"), GroupState::ready);
  EXPECT_THAT(failures(), ElementsAre());
}

TEST_F(Policy, WhatNobodyMakesNumbersOfIsNobodysFault) {
  another_prefill();
  for (RequestId id = 1; id <= 2 * Breaker::kMostFailures; ++id) {
    ask(id, {1});
    for (int n = 1; n <= 2; ++n) {
      router.message(prefill_of(id, n),
                     wire::Failed{.attempt = attempt(id, n), .cause = wire::Cause::numbers, .why = "no numbers"});
      router.tick();
    }
  }
  EXPECT_EQ(failures().size(), static_cast<size_t>(2 * Breaker::kMostFailures));
  EXPECT_EQ(state("p0"), GroupState::ready);
  EXPECT_EQ(state("p1"), GroupState::ready);
}

TEST_F(Policy, OneThatServesIsTrustedAgain) {
  ask(1, {1});
  for (int n = 1; n < Breaker::kMostFailures; ++n) fail_transfer(1, n);
  tokens(kD0, 1, Breaker::kMostFailures, 0, {1, 2, 3}, Finish::length);
  ask(2, {1});
  fail_transfer(2, 1);
  EXPECT_EQ(state("d0"), GroupState::ready);
}

class ColocatesShortOnes : public RouterTest {
 protected:
  ColocatesShortOnes() : RouterTest({.model_hash = 5, .epoch = 9, .colocate_below = 8}) {
    join(kP0, "p0", wire::Role::prefill);
    join(kD0, "d0", wire::Role::decode);
    pair(kP0, kD0);
  }
};

TEST_F(ColocatesShortOnes, AShortPromptIsPrefilledWhereItIsDecoded) {
  router.submit({.id = 1, .prompt = prompt_of(7), .max_tokens = 3}, std::chrono::seconds(60));
  router.submit({.id = 2, .prompt = prompt_of(8), .max_tokens = 3}, std::chrono::seconds(60));
  router.tick();
  EXPECT_EQ(sent<wire::Run>(kD0).size(), 1u);
  EXPECT_EQ(sent<wire::Reserve>(kD0).size(), 1u);
  tokens(kD0, 1, 1, 0, {7}, Finish::stop);
  const auto events = router.take_events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_TRUE(events[0].account.short_prompt);
  EXPECT_EQ(events[0].account.prefill, "d0");
}

}  // namespace
}  // namespace ferry
