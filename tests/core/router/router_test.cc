#include "core/router/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "tests/core/router/played_groups.h"

namespace ferry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(TwoByTwo, ATicketInAnotherPairIsRefusedAndNothingIsPrefilledWithIt) {
  submit(1);
  const auto reserve = sent<wire::Reserve>(kD0);
  router.message(kD0,
                 wire::Reserved{.ticket = {.name = {.attempt = attempt(1, 1)}, .pairing = reserve[0].pairing + 2}});
  EXPECT_TRUE(sent<wire::Prefill>(kP0).empty());
  EXPECT_EQ(router.counters().refused, 1u);
  router.tick();
  EXPECT_EQ(sent<wire::Reserve>(kD0).size(), 1u) << "it is tried again";
}

TEST_F(TwoByTwo, ARequestIsReservedFirstThenPrefilledThenDecoded) {
  submit(1);
  EXPECT_EQ(sent<wire::Reserve>(kD0).size(), 1u);
  EXPECT_TRUE(sent<wire::Prefill>(kP0).empty());
  reserved(kD0, 1, 1);
  EXPECT_EQ(sent<wire::Prefill>(kP0).size(), 1u);
  tokens(kD0, 1, 1, 0, {7});
  tokens(kD0, 1, 1, 1, {8, 9}, Finish::length);
  EXPECT_THAT(told(1), ElementsAre(7, 8, 9));
  EXPECT_EQ(router.n_served(), 0);
}

TEST_F(TwoByTwo, WhatComesTwiceOrLateOrFromElsewhereIsNotTold) {
  another_prefill();
  submit(1);
  reserved(kD0, 1, 1);
  reserved(kD0, 1, 1);
  EXPECT_EQ(sent<wire::Prefill>(kP0).size() + sent<wire::Prefill>(kP1).size(), 1u);
  tokens(kD0, 1, 1, 0, {7});
  tokens(kD0, 1, 1, 0, {7});
  tokens(kD0, 1, 0, 1, {6});
  tokens(99, 1, 1, 1, {6});
  EXPECT_THAT(told(1), ElementsAre(7));
  EXPECT_EQ(router.counters().stale, 1u);
  EXPECT_EQ(router.counters().refused, 1u);
}

TEST_F(TwoByTwo, WhatAGroupMadeNoNumbersOfIsTriedOnceMoreElsewhere) {
  submit(1);
  another_prefill();
  const auto fail = [&](StreamId stream, int n) {
    router.message(stream, wire::Failed{.attempt = attempt(1, n), .cause = wire::Cause::numbers, .why = "no numbers"});
    router.tick();
  };
  reserved(kD0, 1, 1);
  fail(kP0, 1);
  EXPECT_TRUE(router.take_events().empty());
  reserved(kD0, 1, 2);
  EXPECT_EQ(sent<wire::Prefill>(kP1).size(), 1u) << "elsewhere";
  fail(kP1, 2);
  const auto events = router.take_events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_THAT(events[0].error, HasSubstr("no numbers"));
  EXPECT_EQ(events[0].fault, Fault::service);
}

TEST_F(TwoByTwo, TheLadderIsTheSamePairThenAnotherPrefillGroupThenTheDecodeGroupAlone) {
  submit(1);
  another_prefill();
  const auto fail = [&](int n) {
    router.message(kD0, wire::Failed{.attempt = attempt(1, n), .cause = wire::Cause::transfer, .why = "checksum"});
    router.tick();
  };
  EXPECT_EQ(sent<wire::Reserve>(kD0).size(), 1u);
  fail(1);
  EXPECT_EQ(sent<wire::Reserve>(kD0).size(), 1u);
  reserved(kD0, 1, 2);
  EXPECT_EQ(sent<wire::Prefill>(kP0).size(), 1u) << "the same pair";
  fail(2);
  reserved(kD0, 1, 3);
  EXPECT_EQ(sent<wire::Prefill>(kP1).size(), 1u) << "another prefill group";
  fail(3);
  EXPECT_EQ(sent<wire::Run>(kD0).size(), 1u) << "alone";
  tokens(kD0, 1, 4, 0, {7, 8, 9}, Finish::length);
  const auto events = router.take_events();
  ASSERT_EQ(events.size(), 1u);
  const Account& account = events[0].account;
  EXPECT_EQ(account.attempts, 4);
  ASSERT_EQ(account.retries.size(), 3u);
  EXPECT_EQ(account.retries[0].rung, Rung::same_pair);
  EXPECT_EQ(account.retries[1].rung, Rung::other_prefill);
  EXPECT_EQ(account.retries[2].rung, Rung::colocated);
  EXPECT_THAT(account.retries[2].why, HasSubstr("checksum"));
  EXPECT_EQ(account.retries[2].prefill, "p1") << "the attempt before it";
  EXPECT_EQ(account.decode, "d0");
}

TEST_F(TwoByTwo, AReportSaysHowFarARequestIs) {
  submit(1);
  EXPECT_EQ(router.request(1)->stage, "reserving");
  reserved(kD0, 1, 1);
  clock.advance(std::chrono::milliseconds(30));
  EXPECT_EQ(router.request(1)->stage, "prefilling");
  EXPECT_DOUBLE_EQ(router.request(1)->age_ms, 30);
  tokens(kD0, 1, 1, 0, {7});
  const auto report = router.request(1);
  EXPECT_EQ(report->stage, "decoding");
  EXPECT_EQ(report->n_prompt_tokens, 2);
  EXPECT_EQ(report->n_tokens, 1);
  EXPECT_EQ(report->account.decode, "d0");
  router.cancel(1);
  EXPECT_FALSE(router.request(1));
}

TEST_F(TwoByTwo, WhoeverAsksWhetherPathsChangedNeedNotLookAtThem) {
  const uint64_t before = router.n_path_changes();
  submit(1);
  router.tick();
  EXPECT_EQ(router.n_path_changes(), before);
  join(kP1, "p1", wire::Role::prefill);
  EXPECT_EQ(router.paths().size(), 1u);
  EXPECT_EQ(router.pairs().size(), 2u) << "one that is not ready yet";
  const uint64_t joined = router.n_path_changes();
  pair(kP1, kD0);
  EXPECT_NE(router.n_path_changes(), joined);
  EXPECT_EQ(router.paths().size(), 2u);
  const uint64_t paired = router.n_path_changes();
  router.closed(kP1, "gone");
  EXPECT_NE(router.n_path_changes(), paired);
  EXPECT_EQ(router.paths().size(), 1u);
}

TEST_F(TwoByTwo, APathThatIsBackBeforeAnybodyLooksIsAnotherOne) {
  const uint64_t first = router.paths().at(0).which;
  EXPECT_EQ(router.paths().at(0).which, first);
  router.closed(kP0, "gone");
  join(kP0 + 10, "p0", wire::Role::prefill);
  pair(kP0 + 10, kD0);
  ASSERT_EQ(router.paths().size(), 1u);
  EXPECT_NE(router.paths().at(0).which, first);

  join(kP1, "m", wire::Role::mixed);
  const auto of_mixed = [&] {
    for (const PairReport& path : router.paths())
      if (path.prefill == "m" && path.decode == "m") return path.which;
    return uint64_t{0};
  };
  const uint64_t mixed = of_mixed();
  EXPECT_NE(mixed, 0u);
  router.closed(kP1, "gone");
  join(kP1 + 10, "m", wire::Role::mixed);
  EXPECT_NE(of_mixed(), mixed);
  EXPECT_NE(of_mixed(), 0u);
}

TEST_F(TwoByTwo, AnAttemptThatFindsNoRoomIsNoneAlsoAfterOneThatFailed) {
  submit(1);
  router.message(kD0, wire::Failed{.attempt = attempt(1, 1), .cause = wire::Cause::transfer, .why = "checksum"});
  router.tick();
  router.message(kD0, wire::Full{.attempt = attempt(1, 2), .retry_after_ms = 20});
  another_prefill();
  router.tick();
  reserved(kD0, 1, 3);
  tokens(kD0, 1, 3, 0, {7, 8, 9}, Finish::length);
  const auto events = router.take_events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].account.attempts, 2);
  ASSERT_EQ(events[0].account.retries.size(), 1u);
  EXPECT_EQ(router.counters().full, 1u);
  EXPECT_EQ(std::accumulate(std::begin(router.counters().retries), std::end(router.counters().retries), uint64_t{0}),
            1u);
}

TEST_F(TwoByTwo, TokensThatWereToldAreThePromptOfTheNextAttempt) {
  join(kD1, "d1", wire::Role::decode);
  pair(kP0, kD1);
  submit(1, 4);
  const StreamId first = sent<wire::Reserve>(kD0).size() == 1 ? kD0 : kD1, second = kD0 + kD1 - first;
  reserved(first, 1, 1);
  tokens(first, 1, 1, 0, {7});
  tokens(first, 1, 1, 1, {8});
  router.closed(first, "killed");
  router.tick();
  const auto again = sent<wire::Reserve>(second);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_THAT(again[0].request.prompt, ElementsAre(1, 2, 7, 8));
  EXPECT_EQ(again[0].request.max_tokens, 2);
  EXPECT_EQ(again[0].request.n_told, 2);
  tokens(second, 1, 2, 0, {9, 10}, Finish::length);
  EXPECT_THAT(told(1), ElementsAre(7, 8, 9, 10));
}

TEST_F(TwoByTwo, LogprobsOfThePromptAreToldOnceHoweverManyAttemptsThereAre) {
  router.submit({.id = 1, .prompt = {1, 2, 3}, .max_tokens = 3, .n_logprobs = 0, .prompt_logprobs = true},
                std::chrono::seconds(60));
  router.tick();
  EXPECT_TRUE(sent<wire::Reserve>(kD0)[0].request.prompt_logprobs);
  const auto first_token = [&](int attempt_number, size_t n_scored) {
    reserved(kD0, 1, attempt_number);
    router.message(kD0, wire::Tokens{.attempt = attempt(1, attempt_number),
                                     .tokens = {{.id = 7}},
                                     .bill = {},
                                     .prompt_logprobs = std::vector<Token>(n_scored)});
    router.tick();
  };
  first_token(1, 1);
  EXPECT_TRUE(router.take_events().empty()) << "they are of another prompt";
  first_token(2, 2);
  const auto events = router.take_events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].prompt_logprobs.size(), 2u);
  router.message(kD0, wire::Failed{.attempt = attempt(1, 2), .cause = wire::Cause::transfer, .why = "checksum"});
  router.tick();
  const auto again = sent<wire::Run>(kD0);  // the ladder's last rung
  ASSERT_EQ(again.size(), 1u);
  EXPECT_FALSE(again[0].request.prompt_logprobs);
}

TEST_F(TwoByTwo, LostTokensAreNoticedAndComputedAgain) {
  submit(1);
  tokens(kD0, 1, 1, 0, {7});
  tokens(kD0, 1, 1, 2, {9});
  router.tick();
  EXPECT_THAT(told(1), ElementsAre(7));
  EXPECT_EQ(sent<wire::Reserve>(kD0).size(), 2u);
}

TEST_F(TwoByTwo, AnAbortIsSaidUntilItIsAnswered) {
  submit(1);
  router.cancel(1);
  EXPECT_EQ(sent<wire::Abort>(kD0).size(), 1u);
  EXPECT_EQ(router.n_aborting(), 2);
  router.message(kP0, wire::Aborted{.attempt = attempt(1, 1)});
  clock.advance(std::chrono::seconds(1));
  router.tick();
  EXPECT_EQ(sent<wire::Abort>(kD0).size(), 1u);
  EXPECT_EQ(sent<wire::Abort>(kP0).size(), 1u) << "only the first";
  router.message(kD0, wire::Aborted{.attempt = attempt(1, 1)});
  EXPECT_EQ(router.n_aborting(), 0);
}

TEST_F(TwoByTwo, ATicketForWhatIsOverIsGivenBack) {
  submit(1);
  router.cancel(1);
  sent<wire::Abort>(kD0);
  reserved(kD0, 1, 1);
  EXPECT_EQ(sent<wire::Abort>(kD0).size(), 1u);
}

TEST_F(TwoByTwo, AFullDecodePoolKeepsTheRequestInTheQueueUntilItsDeadline) {
  submit(1, 3, std::chrono::seconds(1));
  router.message(kD0, wire::Full{.attempt = attempt(1, 1), .retry_after_ms = 50});
  router.tick();
  EXPECT_EQ(sent<wire::Reserve>(kD0).size(), 1u) << "not before it may be asked again";
  clock.advance(std::chrono::milliseconds(60));
  router.tick();
  EXPECT_EQ(sent<wire::Reserve>(kD0).size(), 1u);
  EXPECT_TRUE(sent<wire::Prefill>(kP0).empty()) << "no FLOP before there is room";
  clock.advance(std::chrono::seconds(1));
  router.tick();
  const auto events = router.take_events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].fault, Fault::deadline);
  EXPECT_THAT(events[0].error, HasSubstr("deadline passed while reserving pages at d0"));
}

TEST_F(TwoByTwo, AnAttemptThatHangsLeavesTimeForAnother) {
  submit(1, 3, std::chrono::seconds(10));
  reserved(kD0, 1, 1);
  clock.advance(std::chrono::seconds(5));
  router.tick();
  EXPECT_EQ(sent<wire::Reserve>(kD0).size(), 2u);
  EXPECT_EQ(sent<wire::Abort>(kP0).size(), 1u);
}

TEST_F(TwoByTwo, ABrokenPathIsIntroducedAnewAndItsRequestsGoOn) {
  submit(1);
  const auto pairing = sent<wire::Reserve>(kD0).at(0).pairing;
  router.message(kP0, wire::Unpaired{.pairing = pairing, .why = "connection reset"});
  router.tick();
  EXPECT_EQ(sent<wire::Forget>(kD0).size(), 1u);
  EXPECT_EQ(sent<wire::Run>(kD0).size(), 1u) << "no other prefill group is there";
  clock.advance(std::chrono::seconds(1));
  router.tick();
  EXPECT_NE(sent<wire::Introduce>(kP0).back().pairing, pairing);
}

TEST_F(TwoByTwo, WhatASerialNumberOfAnOldPairOpensIsNotForwarded) {
  router.message(kP0, wire::Opened{.pairing = 4711, .addresses = {"x"}});
  EXPECT_EQ(sent<wire::Forget>(kP0).size(), 1u);
  EXPECT_EQ(sent<wire::Connect>(kD0).size(), 1u) << "that of the right one";
}

TEST_F(RouterTest, AGroupThatDoesNotFitIsRefusedByFieldAndValues) {
  join(kP0, "p0", wire::Role::prefill);
  wire::GroupInfo other = made_up_group("d0", wire::Role::decode);
  other.layouts = {KvLayout({.layers = {0, 2}, .heads = {0, 1}}, 8, 8, KvDtype::f32, 8)};
  router.message(kD0, wire::Hello{.group = other});
  EXPECT_EQ(sent<wire::Refuse>(kD0).at(0).why, "kv.page_tokens is 8 in d0 and 4 in p0");
  other.layouts.clear();
  router.message(kD1, wire::Hello{.group = other});
  EXPECT_EQ(sent<wire::Refuse>(kD1).size(), 1u);
  EXPECT_EQ(router.n_groups(), 1);
}

TEST_F(RouterTest, ATakenNameIsFreeWhenItsGroupIsFoundDeadAndRefusedWhenItLives) {
  join(kP0, "p0", wire::Role::prefill);
  wire::GroupInfo restarted = made_up_group("p0", wire::Role::prefill);
  restarted.key.epoch = 2;
  router.message(kP1, wire::Hello{.group = restarted});
  router.tick();
  EXPECT_TRUE(sent<wire::Refuse>(kP1).empty());
  EXPECT_TRUE(sent<wire::Welcome>(kP1).empty());
  router.closed(kP0, "killed");
  router.tick();
  EXPECT_EQ(sent<wire::Welcome>(kP1).size(), 1u);
  restarted.key.epoch = 3;
  router.message(kD0, wire::Hello{.group = restarted});
  clock.advance(std::chrono::seconds(5));
  router.tick();
  EXPECT_THAT(sent<wire::Refuse>(kD0).at(0).why, HasSubstr("a group named p0 is here already"));
  EXPECT_TRUE(sent<wire::Refuse>(kP1).empty()) << "the one that lives stays";
}

TEST_F(TwoByTwo, AGroupThatDialsAgainReplacesItsOwnOldStream) {
  submit(1);
  join(kD1, "d0", wire::Role::decode);
  EXPECT_EQ(sent<wire::Welcome>(kD1).size(), 1u);
  EXPECT_EQ(router.n_groups(), 2);
  pair(kP0, kD1);
  router.tick();
  EXPECT_EQ(sent<wire::Reserve>(kD1).size() + sent<wire::Run>(kD1).size(), 1u) << "its request is tried again";
}

class StrictPaths : public RouterTest {
 protected:
  StrictPaths() : RouterTest({.model_hash = 5, .epoch = 9, .paths = {.require_rdma = false, .min_gb_per_s = 1.5}}) {}
};

TEST_F(StrictPaths, AnySlowerPathIsRefusedWithWhatItMeasuredAndWhatToDo) {
  join(kP0, "p0", wire::Role::prefill);
  join(kD0, "d0", wire::Role::decode);
  pair(kP0, kD0);
  EXPECT_THAT(router.take_refusals(),
              ElementsAre(HasSubstr("path p0 → d0 refused: it measures 1 GB/s over shm and link.min_gb_per_s is 1.5")));
  EXPECT_TRUE(router.paths().empty());
  clock.advance(std::chrono::seconds(20));
  router.tick();
  pair(kP0, kD0);
  EXPECT_TRUE(router.take_refusals().empty()) << "said once, tried again";
  wire::GroupInfo other = made_up_group("p1", wire::Role::prefill);
  other.model_hash = 6;
  router.message(kP1, wire::Hello{.group = other});
  EXPECT_THAT(router.take_refusals(), ElementsAre(HasSubstr("group 'p1' refused")));
}

class SmallQueue : public RouterTest {
 protected:
  SmallQueue() : RouterTest({.model_hash = 5, .epoch = 9, .most_queued = 2}) {}
};

TEST_F(SmallQueue, OneMoreThanTheQueueHoldsIsRefusedAtOnce) {
  for (RequestId id = 1; id <= 3; ++id) submit(id);
  const auto events = router.take_events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].id, 3);
  EXPECT_EQ(events[0].fault, Fault::overloaded);
  EXPECT_EQ(router.n_waiting(), 2);
}

}  // namespace
}  // namespace ferry
