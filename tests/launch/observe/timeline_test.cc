#include "launch/observe/timeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ferry {
namespace {

using testing::ElementsAre;

std::vector<std::string> names_of(const std::vector<Part>& timeline) {
  std::vector<std::string> names;
  for (const Part& part : timeline) names.push_back(part.name);
  return names;
}

// Every millisecond is in exactly one part.
void expect_whole(const std::vector<Part>& timeline, double total_ms) {
  double at = 0;
  for (const Part& part : timeline) {
    EXPECT_DOUBLE_EQ(part.begin_ms, at) << part.name;
    at += part.ms;
  }
  EXPECT_DOUBLE_EQ(at, total_ms);
}

Account answered() {
  return {.prefill = "p0",
          .decode = "d0",
          .attempts = 1,
          .retries = {},
          .transport = "shm",
          .bill = {.prefill_ms = 40, .exposed_transfer_ms = 5, .verify_ms = 1, .attach_ms = 2},
          .queue_ms = 10,
          .reserve_ms = 3,
          .ttft_ms = 70,
          .total_ms = 300};
}

TEST(Timeline, ItsPartsFollowOneAnotherFromArrivalToTheLastToken) {
  const auto timeline = timeline_of(answered());
  EXPECT_THAT(names_of(timeline),
              ElementsAre("queue", "reserve", "prefill", "exposed_transfer", "verify", "attach", "other", "decode"));
  EXPECT_DOUBLE_EQ(timeline[6].ms, 70 - 61);
  expect_whole(timeline, 300);
}

TEST(Timeline, AnAttemptThatFailedBeforeTheFirstTokenIsAPartWithItsReason) {
  Account account = answered();
  account.attempts = 2;
  account.ttft_ms = 170;
  account.retries = {{Rung::other_prefill, "group p1 is gone", "p1", "d0", 110}};
  const auto timeline = timeline_of(account);
  ASSERT_EQ(timeline[1].name, "failed_attempt");
  EXPECT_DOUBLE_EQ(timeline[1].ms, 100);
  EXPECT_EQ(timeline[1].prefill, "p1");
  EXPECT_EQ(timeline[1].why, "group p1 is gone");
  EXPECT_EQ(timeline[1].next, "other_prefill");
  EXPECT_EQ(timeline[2].attempt, 2);
  expect_whole(timeline, 300);
}

TEST(Timeline, AnAttemptThatFailedWhileDecodingEndsAPartOfIt) {
  Account account = answered();
  account.attempts = 2;
  account.retries = {{Rung::other_decode, "group d1 is gone", "p0", "d1", 200}};
  const auto timeline = timeline_of(account);
  ASSERT_EQ(timeline.size(), 9u);
  EXPECT_EQ(timeline[7].name, "decode");
  EXPECT_DOUBLE_EQ(timeline[7].ms, 130);
  EXPECT_EQ(timeline[7].next, "other_decode");
  EXPECT_EQ(timeline[8].attempt, 2);
  expect_whole(timeline, 300);
}

TEST(Timeline, WhatNobodyTookOnlyWaited) {
  const auto timeline = timeline_of({.retries = {}, .bill = {}, .total_ms = 50});
  EXPECT_THAT(names_of(timeline), ElementsAre("queue"));
  expect_whole(timeline, 50);
}

TEST(Timeline, WhatWasNotAnsweredSaysSo) {
  const auto timeline = timeline_of({.attempts = 1, .retries = {}, .bill = {}, .queue_ms = 5, .total_ms = 50});
  EXPECT_THAT(names_of(timeline), ElementsAre("queue", "unanswered"));
  expect_whole(timeline, 50);
}

}  // namespace
}  // namespace ferry
