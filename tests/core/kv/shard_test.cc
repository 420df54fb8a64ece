#include "core/kv/shard.h"

#include <gtest/gtest.h>

#include "core/base/error.h"

namespace ferry {
namespace {

const TpShape kSmol = {.n_heads = 9, .n_kv_heads = 3, .ffn_width = 1536, .ffn_unit = 32, .n_vocab = 49152};

TEST(EvenPart, CoversEverythingOnceAndDiffersByAtMostOne) {
  for (int n = 0; n < 40; ++n) {
    for (int parts = 1; parts < 12; ++parts) {
      int next = 0;
      for (int part = 0; part < parts; ++part) {
        const Range range = even_part(n, parts, part);
        EXPECT_EQ(range.begin, next);
        EXPECT_GE(range.size(), n / parts);
        EXPECT_LE(range.size(), n / parts + 1);
        next = range.end;
      }
      EXPECT_EQ(next, n);
    }
  }
}

TEST(TpSlices, HeadsNeedNotDivide) {
  const auto two = tp_slices(kSmol, 2);
  EXPECT_EQ(two[0].kv_heads, (Range{0, 2}));
  EXPECT_EQ(two[1].kv_heads, (Range{2, 3}));
  EXPECT_EQ(two[0].q_heads, (Range{0, 6}));
  EXPECT_EQ(two[1].q_heads, (Range{6, 9}));
}

TEST(TpSlices, MoreRanksThanKvHeadsShareAHead) {
  const auto four = tp_slices(kSmol, 4);
  EXPECT_EQ(four[0].kv_heads, (Range{0, 1}));
  EXPECT_EQ(four[1].kv_heads, (Range{0, 1}));
  EXPECT_EQ(four[0].q_heads, (Range{0, 2}));
  EXPECT_EQ(four[1].q_heads, (Range{2, 3}));
  EXPECT_EQ(four[3].q_heads, (Range{6, 9}));
}

TEST(TpSlices, EveryPartIsCoveredExactlyOnceAtEveryDegree) {
  for (int tp = 1; tp <= 9; ++tp) {
    const auto slices = tp_slices(kSmol, tp);
    Range q, ffn, vocab;
    for (const TpSlice& s : slices) {
      EXPECT_EQ(s.q_heads.begin, q.end);
      EXPECT_EQ(s.ffn.begin, ffn.end);
      EXPECT_EQ(s.vocab.begin, vocab.end);
      EXPECT_FALSE(s.q_heads.empty() || s.ffn.empty() || s.vocab.empty());
      EXPECT_EQ(s.ffn.begin % kSmol.ffn_unit, 0);
      for (int head = s.q_heads.begin; head < s.q_heads.end; ++head) EXPECT_TRUE(s.kv_heads.contains(head / 3));
      q = s.q_heads, ffn = s.ffn, vocab = s.vocab;
    }
    EXPECT_EQ(q.end, 9);
    EXPECT_EQ(ffn.end, 1536);
    EXPECT_EQ(vocab.end, 49152);
  }
}

TEST(TpSlices, ADegreeThatNoPartCanUseIsRefusedByName) {
  try {
    tp_slices(kSmol, 10);
    FAIL() << "tp 10 of 9 heads was accepted";
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "tp 10 is more than the model's 9 query heads; use at most that");
  }
  EXPECT_THROW(tp_slices(kSmol, 0), Error);
}

}  // namespace
}  // namespace ferry
