#include "core/router/prefixes.h"

#include <gtest/gtest.h>

#include <numeric>

namespace ferry {
namespace {

std::vector<int> tokens(int n, int first = 0) {
  std::vector<int> all(n);
  std::iota(all.begin(), all.end(), first);
  return all;
}

TEST(Prefixes, WhatWasSentIsFoundAsFarAsItIsTheSame) {
  Prefixes prefixes(4, 100);
  prefixes.sent(1, prefixes.blocks_of(tokens(10)));
  EXPECT_EQ(prefixes.n_cached_tokens(1, prefixes.blocks_of(tokens(10))), 8) << "whole blocks";
  EXPECT_EQ(prefixes.n_cached_tokens(1, prefixes.blocks_of(tokens(7))), 4);
  EXPECT_EQ(prefixes.n_cached_tokens(1, prefixes.blocks_of(tokens(10, 1))), 0);
  EXPECT_EQ(prefixes.n_cached_tokens(2, prefixes.blocks_of(tokens(10))), 0) << "another group";
  prefixes.forget(1);
  EXPECT_EQ(prefixes.n_cached_tokens(1, prefixes.blocks_of(tokens(10))), 0);
}

TEST(Prefixes, TheEndOfWhatWasNotUsedForLongIsForgottenFirst) {
  Prefixes prefixes(4, 4);
  prefixes.sent(1, prefixes.blocks_of(tokens(12)));
  prefixes.sent(1, prefixes.blocks_of(tokens(8, 100)));
  EXPECT_EQ(prefixes.n_cached_tokens(1, prefixes.blocks_of(tokens(12))), 8);
  EXPECT_EQ(prefixes.n_cached_tokens(1, prefixes.blocks_of(tokens(8, 100))), 8);
}

}  // namespace
}  // namespace ferry
