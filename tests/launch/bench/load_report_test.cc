#include "launch/bench/load_report.h"

#include <gtest/gtest.h>

#include <numeric>

#include "launch/bench/added_latency.h"

namespace ferry {
namespace {

Instant at(double n) { return Instant() + ms(n); }

StreamRecord answered(double due, double begun, const std::vector<double>& pieces) {
  StreamRecord record = {
      .due = at(due), .begun = at(begun), .pieces = {}, .ended = at(pieces.back() + 1), .status = 200};
  for (const double piece : pieces) record.pieces.push_back({.at = at(piece), .n_bytes = 1});
  record.n_tokens = static_cast<int>(pieces.size());
  return record;
}

TEST(Spread, PercentilesAreValuesThatWereThere) {
  std::vector<double> values(100);
  std::iota(values.rbegin(), values.rend(), 1.0);
  const Spread spread = spread_of(values);
  EXPECT_EQ(spread.p50, 50);
  EXPECT_EQ(spread.p90, 90);
  EXPECT_EQ(spread.p99, 99);
  EXPECT_EQ(spread.max, 100);
  EXPECT_EQ(spread.mean, 50.5);
  EXPECT_EQ(spread_of({7}).p50, 7);
  EXPECT_EQ(spread_of({}).max, 0);
}

TEST(LoadReport, LatenciesCountFromWhenARequestWasDueNotFromWhenItWasSent) {
  const LoadReport report = report_of({answered(0, 40, {50, 60, 90})}, {});
  EXPECT_EQ(report.ttft_ms.p50, 50);
  EXPECT_EQ(report.late_ms.p50, 40);
  EXPECT_EQ(report.itl_ms.max, 30);
  EXPECT_EQ(report.itl_ms.p50, 10);
  EXPECT_EQ(report.tpot_ms.p50, 20);
  EXPECT_EQ(report.e2e_ms.p50, 91);
}

TEST(LoadReport, RatesAreOverTheTimeFromTheFirstRequestToTheLastEnd) {
  const LoadReport report = report_of({answered(1000, 1000, {1100, 1200}), answered(2000, 2000, {2100, 2999})}, {});
  EXPECT_NEAR(report.seconds, 2, 1e-9);
  EXPECT_NEAR(report.tokens_per_s(), 2, 1e-9);
  EXPECT_NEAR(report.requests_per_s(), 1, 1e-9);
}

TEST(LoadReport, GoodAreThoseThatKeepToBothGoalsAndAFailureIsNeverGood) {
  const StreamRecord quick = answered(0, 0, {10, 20, 30}), late = answered(0, 0, {90, 100, 110}),
                     slow = answered(0, 0, {10, 60, 110});
  StreamRecord failed = answered(0, 0, {10, 20});
  failed.error = "HTTP 503";
  const std::vector<StreamRecord> all = {quick, late, slow, failed};
  EXPECT_EQ(report_of(all, {.ttft_ms = 50}).n_good, 2);
  EXPECT_EQ(report_of(all, {.itl_ms = 20}).n_good, 2);
  EXPECT_EQ(report_of(all, {.ttft_ms = 50, .itl_ms = 20}).n_good, 1);
  const LoadReport report = report_of(all, {});
  EXPECT_EQ(report.n_good, 3);
  EXPECT_EQ(report.n_answered, 3);
  EXPECT_EQ(report.errors.at("HTTP 503"), 1);
  EXPECT_EQ(report.n_tokens, 9) << "of those that were answered";
}

TEST(AddedLatency, EachByteIsATokenAlsoWhereSeveralCameTogether) {
  StreamRecord record = answered(0, 0, {12, 31});
  record.pieces[1].n_bytes = 2;
  const StubEngine::Said said = {{8, {at(10), at(20), at(30)}}};
  EXPECT_EQ(added_ms({answered(0, 0, {1}), record}, 7, said), (std::vector<double>{2, 11, 1}));
}

}  // namespace
}  // namespace ferry
