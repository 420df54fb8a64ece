#include "launch/io/bars.h"

#include <gtest/gtest.h>

#include "launch/io/printable.h"

namespace ferry {
namespace {

TEST(Bar, StandsWhereItsTimeIs) {
  EXPECT_EQ(bar(0, 1, 4), "████");
  EXPECT_EQ(bar(0.5, 1, 4), "  ██");
  EXPECT_EQ(bar(0, 0.125, 4), "▌   ");
  EXPECT_EQ(bar(0, 0, 4), "    ");
}

TEST(Bar, WhatIsNotNothingIsSeen) {
  EXPECT_EQ(bar(0.25, 0.2501, 4), " ▏  ");
  EXPECT_EQ(bar(1, 1.0001, 4).find_first_not_of(' '), 3u);
}

TEST(Bar, HasTheSameWidthWhateverItShows) {
  for (const double begin : {0.0, 0.3, 0.99, 1.0, 2.0}) {
    for (const double length : {0.0, 0.001, 0.4, 1.0, 5.0})
      EXPECT_EQ(n_characters(bar(begin, begin + length, 17)), 17u) << begin << " " << length;
  }
}

TEST(StackedBar, ShowsEachPartWithAndWithoutColours) {
  EXPECT_EQ(stacked_bar({{0.5, Tint::cyan}, {0.25, Tint::green}}, 8, Colours::off), "████▓▓··");
  EXPECT_EQ(stacked_bar({{0.001, Tint::cyan}, {0.001, Tint::red}}, 8, Colours::off), "█▓······");
  EXPECT_EQ(n_characters(stacked_bar({{0.7, Tint::cyan}, {0.7, Tint::green}}, 8, Colours::off)), 8u);
}

TEST(Sparkline, IsAsHighAsTheMost) {
  EXPECT_EQ(sparkline({0, 1, 4, 8}, 4), " ▁▄█");
  EXPECT_EQ(sparkline({1, 2, 0, 0}, 2), "  ") << "the last values";
  EXPECT_EQ(sparkline({}, 5), "");
}

}  // namespace
}  // namespace ferry
