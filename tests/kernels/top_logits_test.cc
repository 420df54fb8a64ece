// The best of rows of logits, and the sums that say what share of them these are.

#include <algorithm>
#include <limits>
#include <numeric>

#include "tests/kernels/ops_fixture.h"

namespace ferry {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Top {
  std::vector<int> ids;  // [n_rows, n_best]
  Floats best, sums;     // [n_rows, n_best], [n_rows, 2]
};

class TopLogitsContract : public OpsContract {
 protected:
  Top top_of(const Floats& logits, int n_rows, int n_best, const Floats& scales, int first_id = 0) {
    Top top;
    top.ids.assign(static_cast<size_t>(n_rows * n_best), -7);
    top.best.assign(top.ids.size(), NAN);
    top.sums.assign(static_cast<size_t>(2 * n_rows), kInfinity);
    ops().top_logits({.logits = logits.data(),
                      .scales = scales.data(),
                      .ids = top.ids.data(),
                      .best = top.best.data(),
                      .sums = top.sums.data(),
                      .n_rows = n_rows,
                      .n_vocab = n_rows > 0 ? static_cast<int>(logits.size()) / n_rows : 1,
                      .first_id = first_id,
                      .n_best = n_best});
    return top;
  }

  void expect_top(const Floats& logits, int n_rows, int n_best, const Floats& scales, int first_id = 0) {
    const Top top = top_of(logits, n_rows, n_best, scales, first_id);
    const size_t n_vocab = logits.size() / static_cast<size_t>(n_rows), n = static_cast<size_t>(n_best);
    for (size_t r = 0; r < static_cast<size_t>(n_rows); ++r) {
      SCOPED_TRACE(testing::Message() << "row " << r);
      Floats row(logits.begin() + static_cast<long>(r * n_vocab),
                 logits.begin() + static_cast<long>((r + 1) * n_vocab));
      for (float& logit : row) logit = std::isnan(logit) ? -kInfinity : logit;
      std::vector<int> order(n_vocab);
      std::iota(order.begin(), order.end(), 0);
      std::ranges::stable_sort(order, [&](int a, int b) { return row[a] > row[b]; });
      for (size_t i = 0; i < n; ++i) {
        const size_t at = r * n + i;
        ASSERT_EQ(top.ids[at], i < n_vocab ? first_id + order[i] : -1) << i << " of " << n_vocab;
        ASSERT_EQ(top.best[at], i < n_vocab ? row[order[i]] : -kInfinity) << i << " of " << n_vocab;
      }
      expect_sums(row, row[order[0]], top.sums.data() + 2 * r, n_best > 1, scales[r]);
    }
  }

 private:
  static void expect_sums(const Floats& row, float largest, const float* sums, bool wanted, float scale) {
    if (!wanted) {
      EXPECT_EQ(sums[0], kInfinity) << "not written";
      return;
    }
    double plain = 0, scaled = 0;
    for (const float logit : row) {
      const double below = static_cast<double>(logit) - static_cast<double>(largest);
      plain += largest > -kInfinity ? std::exp(below) : 0;
      scaled += largest > -kInfinity ? std::exp(below * static_cast<double>(scale)) : 0;
    }
    EXPECT_NEAR(static_cast<double>(sums[0]), plain, kSumTolerance * plain);
    EXPECT_NEAR(static_cast<double>(sums[1]), scaled, kSumTolerance * scaled);
  }
};

Floats random_scales(Random& random, int n) {
  Floats scales;
  for (int i = 0; i < n; ++i) scales.push_back(random.one_of({1.0f, 0.5f, 1 / 0.7f, 12.5f}));
  return scales;
}

TEST_P(TopLogitsContract, TheBestOfRandomRowsComeFirst) {
  for (uint64_t seed = 0; seed < 24; ++seed) {
    Random random(seed);
    const int n_rows = random.between(1, 4), n_best = random.one_of({1, 2, 20, kMostBest});
    const int n_vocab = random.between(0, 3) > 0 ? random.between(1, 3000) : random.between(1, 130);
    SCOPED_TRACE(testing::Message() << "seed " << seed << ": " << n_best << " of " << n_vocab);
    const Floats logits = random.normals(n_rows * n_vocab, random.one_of({0.1f, 3.0f, 40.0f}));
    expect_top(logits, n_rows, n_best, random_scales(random, n_rows), random.between(0, 1000));
  }
}

TEST_P(TopLogitsContract, NoRowsAreNothingToDo) { EXPECT_TRUE(top_of({}, 0, kMostBest, {}).ids.empty()); }

TEST_P(TopLogitsContract, AmongEqualsTheLowestIdsAreFirst) {
  for (const int n_best : {1, 3, kMostBest}) {
    for (const int n_vocab : {1, 63, 64, 65, 128, 129, 2000, 9001, 14000}) {
      SCOPED_TRACE(testing::Message() << n_best << " of " << n_vocab);
      Random random(static_cast<uint64_t>(n_vocab));
      Floats logits(static_cast<size_t>(n_vocab), -2.5f);
      expect_top(logits, 1, n_best, {1});
      for (float& logit : logits) logit = static_cast<float>(random.between(-1, 2));
      expect_top(logits, 1, n_best, {2});
      for (float& logit : logits) logit = random.between(0, 1) ? 0.0f : -0.0f;
      expect_top(logits, 1, n_best, {1});
    }
  }
}

// The best ones side by side, where a guess from samples or parts would go wrong.
TEST_P(TopLogitsContract, RowsThatClimbOrFallAreSortedToo) {
  for (const int n_best : {1, kMostBest}) {
    for (const float step : {0.01f, -0.01f}) {
      Floats logits(12000);
      for (size_t i = 0; i < logits.size(); ++i) logits[i] = step * static_cast<float>(i);
      expect_top(logits, 1, n_best, {0.8f});
      for (size_t i = 0; i < logits.size(); ++i) logits[i] = step * static_cast<float>(i % 512);
      expect_top(logits, 2, n_best, {0.8f, 3});
    }
  }
}

// No part of a row has two of the best.
TEST_P(TopLogitsContract, TheBestMayBeFarApart) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    Floats logits = random.normals(random.between(90, 150) * 128);
    for (float& logit : logits) logit -= 100;
    for (size_t i = 0; i < logits.size(); i += 128) logits[i + random.bits() % 128] += 100;
    expect_top(logits, 1, kMostBest, {1});
  }
}

TEST_P(TopLogitsContract, WhatIsNoNumberOrMinusInfinityIsLast) {
  for (uint64_t seed = 0; seed < 6; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    Floats logits = random.normals(1500);
    for (float& logit : logits) logit = random.one_of({logit, -kInfinity, NAN, -logit});
    expect_top(logits, 1, kMostBest, {1.5f});
    expect_top(logits, 3, 1, {1, 1, 1});
    for (size_t i = 10; i < logits.size(); ++i) logits[i] = random.one_of({-kInfinity, NAN});
    expect_top(logits, 1, kMostBest, {0.5f});
    std::ranges::fill(logits, random.one_of({-kInfinity, NAN}));
    expect_top(logits, 5, kMostBest, {1, 2, 1, 0.5f, 1});
    expect_top(logits, 5, 1, {1, 1, 1, 1, 1});
  }
}

TEST_P(TopLogitsContract, PlusInfinityIsTheBest) {
  Floats logits(700, 1);
  logits[600] = logits[650] = kInfinity;
  const Top top = top_of(logits, 1, 3, {1});
  EXPECT_EQ(top.ids, (std::vector<int>{600, 650, 0}));
  EXPECT_EQ(top_of(logits, 1, 1, {1}).ids, std::vector<int>{600});
}

TEST_P(TopLogitsContract, SumsHoldForTheHottestAndTheColdest) {
  Random random(3);
  Floats logits = random.normals(2 * 4000, 5);
  logits[17] = 3e38f;
  logits[18] = -3e38f;
  expect_top(logits, 2, kMostBest, {1e-3f, 1e-3f});
  expect_top(logits, 2, kMostBest, {3e38f, 3e38f});
  logits[17] = 30;
  expect_top(logits, 2, kMostBest, {20, 0.2f});
}

TEST_P(TopLogitsContract, ALargeVocabularyIsNoOtherMatter) {
  Random random(5);
  expect_top(random.normals(128256, 4), 1, kMostBest, {1 / 0.9f});
  expect_top(random.normals(151936, 4), 1, 1, {1});
}

TEST_P(TopLogitsContract, ARowIsTheSameBitsAloneAndInABatch) {
  Random random(9);
  const Floats logits = random.normals(3 * 2100, 4), scales = {1, 0.7f, 2};
  const Top all = top_of(logits, 3, kMostBest, scales);
  for (size_t r = 0; r < 3; ++r) {
    const Floats row(logits.begin() + static_cast<long>(2100 * r), logits.begin() + static_cast<long>(2100 * (r + 1)));
    const Top one = top_of(row, 1, kMostBest, {scales[r]});
    EXPECT_EQ(one.sums[0], all.sums[2 * r]);
    EXPECT_EQ(one.sums[1], all.sums[2 * r + 1]);
    EXPECT_TRUE(std::ranges::equal(one.ids, std::span(all.ids).subspan(r * kMostBest, kMostBest)));
  }
}

FERRY_FOR_EVERY_IMPLEMENTATION(TopLogitsContract);

}  // namespace
}  // namespace ferry
