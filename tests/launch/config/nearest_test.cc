#include "launch/config/nearest.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace ferry {
namespace {

TEST(Nearest, DistanceCountsEditsAndSwaps) {
  EXPECT_EQ(edit_distance("", ""), 0);
  EXPECT_EQ(edit_distance("abc", ""), 3);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("verfiy", "verify"), 1);
  EXPECT_EQ(edit_distance("tp", "pt"), 1);
}

TEST(Nearest, TheClosestNameWinsAndTheFirstOfEquals) {
  constexpr std::array<std::string_view, 3> kNames = {"tp", "top_k", "top_p"};
  EXPECT_EQ(nearest("topk", kNames), "top_k");
  EXPECT_EQ(nearest("top", kNames), "tp");
  EXPECT_EQ(nearest("", std::span<const std::string_view>{}), "");
  EXPECT_FALSE(nearest(std::string(1 << 20, 'x'), kNames).empty());
}

}  // namespace
}  // namespace ferry
