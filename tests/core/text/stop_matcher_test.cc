#include "core/text/stop_matcher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "core/base/error.h"

namespace ferry {
namespace {

TEST(StopMatcher, FindsAStopAcrossPieces) {
  const StopStrings stops({"</end>"});
  StopMatcher matcher(stops);
  EXPECT_EQ(matcher.append("one</"), "one");
  EXPECT_EQ(matcher.append("e"), "");
  EXPECT_EQ(matcher.append("nx</en"), "</enx");
  EXPECT_EQ(matcher.stop(), std::nullopt);
  EXPECT_EQ(matcher.append("d>more"), "");
  EXPECT_EQ(matcher.stop(), "</end>");
  EXPECT_EQ(matcher.append("more"), "");
  EXPECT_EQ(matcher.flush(), "");
}

TEST(StopMatcher, TheFirstStopToBeCompleteEndsTheText) {
  const StopStrings within({"abcd", "bc"}), at_the_end({"bc", "abc"});
  StopMatcher inner(within);
  EXPECT_EQ(inner.append("xabcd"), "xa");
  EXPECT_EQ(inner.stop(), "bc");
  StopMatcher same_end(at_the_end);
  EXPECT_EQ(same_end.append("xabc"), "x");
  EXPECT_EQ(same_end.stop(), "abc");
}

TEST(StopMatcher, WhatWaitsComesOutAtTheEnd) {
  const StopStrings stops({"stop"});
  StopMatcher matcher(stops);
  EXPECT_EQ(matcher.append("a sto"), "a ");
  EXPECT_EQ(matcher.flush(), "sto");
  EXPECT_EQ(matcher.append("p"), "p");
  EXPECT_EQ(matcher.stop(), std::nullopt);
}

TEST(StopMatcher, WithoutStopsNothingWaits) {
  const StopStrings none;
  StopMatcher matcher(none);
  EXPECT_EQ(matcher.append("text"), "text");
  EXPECT_EQ(matcher.flush(), "");
}

TEST(StopMatcher, AnEmptyStopIsRefused) { EXPECT_THROW(StopStrings({"a", ""}), Error); }

TEST(StopMatcher, TextsThatShareTheirStopsDoNotDisturbEachOther) {
  const StopStrings stops({"end", "enough"});
  StopMatcher first(stops), second(stops);
  EXPECT_EQ(first.append("an en"), "an ");
  EXPECT_EQ(second.append("then eno"), "then ");
  EXPECT_EQ(first.append("d"), "");
  EXPECT_EQ(second.append("d"), "enod");
  EXPECT_EQ(first.stop(), "end");
  EXPECT_EQ(second.stop(), std::nullopt);
}

struct Expected {
  std::string shown;
  std::optional<std::string> stop;
};

// The definition, byte by byte: the first end of the text at which a stop ends, and of those stops the longest.
Expected by_definition(const std::string& text, const std::vector<std::string>& stops) {
  for (size_t end = 1; end <= text.size(); ++end) {
    std::optional<std::string> longest;
    for (const std::string& stop : stops) {
      const bool ends_here = std::string_view(text).substr(0, end).ends_with(stop);
      if (ends_here && stop.size() > longest.value_or("").size()) longest = stop;
    }
    if (longest) return {text.substr(0, end - longest->size()), longest};
  }
  return {text, std::nullopt};
}

// What has to wait: the longest end of the text that begins a stop.
size_t n_waiting_by_definition(const std::string& text, const std::vector<std::string>& stops) {
  size_t n = 0;
  for (const std::string& stop : stops) {
    for (size_t length = 1; length < stop.size(); ++length) {
      if (text.ends_with(stop.substr(0, length))) n = std::max(n, length);
    }
  }
  return n;
}

std::string random_word(std::mt19937_64& random, size_t min_length, size_t max_length) {
  std::string word;
  const size_t length = min_length + random() % (max_length - min_length + 1);
  while (word.size() < length) word += "ab"[random() % 2];
  return word;
}

TEST(StopMatcher, AgreesWithTheDefinitionOnRandomText) {
  const uint64_t seed = 23;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> stops(1 + random() % 4);
    for (std::string& stop : stops) stop = random_word(random, 1, 8);
    const StopStrings automaton(stops);
    StopMatcher matcher(automaton);
    std::string text;
    std::string shown;
    for (int i = 0; i < 10 && !matcher.stop(); ++i) {
      const std::string piece = random_word(random, 0, 4);
      text += piece;
      shown += matcher.append(piece);
      if (matcher.stop()) continue;
      ASSERT_EQ(shown.size(), text.size() - n_waiting_by_definition(text, stops)) << testing::PrintToString(stops);
    }
    if (!matcher.stop()) shown += matcher.flush();
    const Expected expected = by_definition(text, stops);
    ASSERT_EQ(shown, expected.shown) << text << " " << testing::PrintToString(stops);
    ASSERT_EQ(matcher.stop(), expected.stop) << text << " " << testing::PrintToString(stops);
  }
}

TEST(StopMatcher, AStopOfAMegabyteCostsNoMoreThanItsLength) {
  // Every byte of the text goes on, or falls back, in the longest possible run: n² steps would take hours.
  constexpr size_t kLength = 1 << 20;
  const StopStrings stops({std::string(kLength, 'a') + "b", "xyz"});
  StopMatcher matcher(stops);
  std::string shown = matcher.append(std::string(kLength, 'a'));
  for (size_t i = 0; i < kLength; ++i) shown += matcher.append("a");
  EXPECT_EQ(shown.size(), kLength);
  shown += matcher.append("c");
  EXPECT_EQ(shown.size(), 2 * kLength + 1);
  EXPECT_EQ(matcher.append(std::string(kLength + 3, 'a') + "b"), "aaa");
  EXPECT_TRUE(matcher.stop());
}

TEST(StopMatcher, ManyStopsCostNoMoreThanOne) {
  std::vector<std::string> stops;
  for (int i = 0; i < 20000; ++i) stops.push_back("stop number " + std::to_string(i) + ".");
  const StopStrings automaton(stops);
  StopMatcher matcher(automaton);
  std::string text;
  for (int i = 0; i < 100000; ++i) text += "stop number ";
  EXPECT_EQ(matcher.append(text + "777."), text.substr(0, text.size() - 12));
  EXPECT_EQ(matcher.stop(), "stop number 777.");
}

}  // namespace
}  // namespace ferry
