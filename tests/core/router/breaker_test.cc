#include "core/router/breaker.h"

#include <gtest/gtest.h>

namespace ferry {
namespace {

using State = Breaker::State;
const Instant kNow{};

Breaker opened() {
  Breaker breaker;
  for (int i = 0; i < Breaker::kMostFailures; ++i) breaker.failed(kNow);
  return breaker;
}

TEST(Breaker, OpensAfterFailuresInARowOnly) {
  Breaker breaker;
  for (int i = 0; i < 3 * Breaker::kMostFailures; ++i) {
    breaker.failed(kNow);
    if (i % 2 == 1) breaker.succeeded();
  }
  EXPECT_EQ(breaker.state(kNow), State::closed);
  EXPECT_EQ(opened().state(kNow), State::open);
  EXPECT_FALSE(opened().lets(kNow, 0));
}

TEST(Breaker, LetsOneProbeAtATimePassAfterAPause) {
  const Instant later = kNow + Breaker::kFirstPause;
  EXPECT_EQ(opened().state(later), State::half_open);
  EXPECT_TRUE(opened().lets(later, 0));
  EXPECT_FALSE(opened().lets(later, 1));
}

TEST(Breaker, WhatWasUnderWayWhenItOpenedDoesNotMakeThePauseLonger) {
  Breaker breaker = opened();
  for (int i = 0; i < 20; ++i) breaker.failed(kNow);
  EXPECT_EQ(breaker.state(kNow + Breaker::kFirstPause), State::half_open);
}

TEST(Breaker, AProbeThatFailsDoublesThePauseAndOneThatSucceedsEndsIt) {
  Breaker breaker = opened();
  const Instant probe = kNow + Breaker::kFirstPause;
  breaker.failed(probe);
  EXPECT_EQ(breaker.state(probe + Breaker::kFirstPause), State::open);
  EXPECT_EQ(breaker.state(probe + 2 * Breaker::kFirstPause), State::half_open);
  breaker.succeeded();
  EXPECT_EQ(breaker.state(probe), State::closed);
}

}  // namespace
}  // namespace ferry
