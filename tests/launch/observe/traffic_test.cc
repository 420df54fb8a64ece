#include "launch/observe/traffic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace ferry {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

Instant at(int ms) { return Instant{} + milliseconds(10'000 + ms); }

RequestEvent tokens(int n, uint64_t kv_bytes = 0, Finish finish = Finish::none) {
  RequestEvent event = {
      .id = 1, .tokens = std::vector<Token>(static_cast<size_t>(n)), .finish = finish, .error = {}, .account = {}};
  event.account.prefill = "p0";
  event.account.decode = "d0";
  event.account.transport = "tcp";
  event.account.bill.kv_bytes = kv_bytes;
  return event;
}

TEST(Traffic, AnAnswersTokensBecomeLatenciesRatesAndCounts) {
  Traffic traffic;
  traffic.began(1, 30, at(0));
  traffic.heard(tokens(1, 5000), at(100));
  traffic.heard(tokens(2), at(140));
  traffic.heard(tokens(1, 0, Finish::length), at(150));
  const Traffic::Latencies& latest = traffic.latencies();
  EXPECT_THAT(latest.to_first_token.sorted(), testing::ElementsAre(testing::DoubleEq(0.1)));
  EXPECT_THAT(latest.between_tokens.sorted(),
              testing::ElementsAre(testing::DoubleEq(0.01), testing::DoubleEq(0.02), testing::DoubleEq(0.02)));
  EXPECT_THAT(latest.end_to_end.sorted(), testing::ElementsAre(testing::DoubleEq(0.15)));
  EXPECT_DOUBLE_EQ(traffic.tokens_per_s("d0", at(1000)), 4.0 / 5);
  EXPECT_DOUBLE_EQ(traffic.tokens_per_s("p0", at(1000)), 30.0 / 5) << "tokens of prompts";
  EXPECT_DOUBLE_EQ(traffic.bytes_per_s("p0", "d0", at(1000)), 1000);
  const std::string text = traffic.text();
  EXPECT_THAT(text, HasSubstr("ferry_time_to_first_token_seconds_count 1\n"));
  EXPECT_THAT(text, HasSubstr("ferry_generation_tokens_total 4\n"));
  EXPECT_THAT(text, HasSubstr("ferry_prompt_tokens_total 30\n"));
  EXPECT_THAT(text, HasSubstr("ferry_transfer_bytes_total{prefill=\"p0\",decode=\"d0\",transport=\"tcp\"} 5000\n"));
}

TEST(Traffic, WhatALaterAttemptShipsIsCountedOnce) {
  Traffic traffic;
  traffic.began(1, 30, at(0));
  traffic.heard(tokens(1, 5000), at(100));
  traffic.heard(tokens(1, 8000, Finish::stop), at(200));  // the bill adds up
  EXPECT_THAT(traffic.text(), HasSubstr("} 8000\n"));
}

TEST(Traffic, WhatIsCancelledIsNoLatency) {
  Traffic traffic;
  traffic.began(1, 30, at(0));
  traffic.cancelled(1);
  traffic.heard(tokens(1), at(100));
  EXPECT_TRUE(traffic.latencies().to_first_token.sorted().empty());
}

TEST(Recent, SecondsThatArePastDropOut) {
  Recent recent;
  recent.add(10, at(0));
  EXPECT_DOUBLE_EQ(recent.per_second(at(500)), 0) << "this second is not over";
  EXPECT_DOUBLE_EQ(recent.per_second(at(1500)), 2);
  EXPECT_DOUBLE_EQ(recent.per_second(at(5500)), 2);
  EXPECT_DOUBLE_EQ(recent.per_second(at(6500)), 0);
  EXPECT_EQ(recent.history(at(1500)).back(), 10);
  EXPECT_EQ(recent.history(at(1000 * Recent::kSeconds + 500)).front(), 10);
  const auto later = recent.history(at(1000 * (Recent::kSeconds + 1) + 500));
  EXPECT_EQ(std::count(later.begin(), later.end(), 0), Recent::kSeconds);
}

TEST(Percentile, IsTheSmallestThatTheShareDoesNotExceed) {
  const std::vector<double> values = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  EXPECT_EQ(percentile(values, 0.5), 5);
  EXPECT_EQ(percentile(values, 0.99), 10);
  EXPECT_EQ(percentile(values, 0), 1);
  EXPECT_EQ(percentile({}, 0.5), 0);
}

TEST(Latest, OldValuesMakeRoom) {
  Latest latest;
  latest.add(1, Latest::kMost);
  latest.add(2, 10);
  const auto sorted = latest.sorted();
  EXPECT_EQ(sorted.size(), Latest::kMost);
  EXPECT_EQ(std::count(sorted.begin(), sorted.end(), 2), 10);
}

TEST(Bins, EveryValueIsInOne) {
  const std::vector<double> values = {0.001, 0.002, 0.01, 0.1, 1.0};
  const Bins bins = bins_of(values);
  EXPECT_EQ(bins.low, 0.001);
  EXPECT_EQ(bins.high, 1.0);
  EXPECT_EQ(bins.counts.front(), 1);
  EXPECT_EQ(bins.counts.back(), 1);
  EXPECT_EQ(std::accumulate(bins.counts.begin(), bins.counts.end(), 0), 5);
  const Bins same = bins_of(std::vector<double>{0.5, 0.5});
  EXPECT_EQ(std::accumulate(same.counts.begin(), same.counts.end(), 0), 2);
}

}  // namespace
}  // namespace ferry
