#include "core/handoff/path_probe.h"

#include <gtest/gtest.h>

namespace ferry {
namespace {

// Runs a probe over a path of that latency and bandwidth; returns what it put in all.
uint64_t measure(PathProbe& probe, double latency_us, double gb_per_s, double first_us) {
  uint64_t bytes = 0;
  for (bool first = true; !probe.over(); first = false) {
    const PathProbe::Round round = probe.round();
    bytes += round.bytes * round.repeat;
    const double us = (first ? first_us : latency_us) + double(round.bytes) * round.repeat / gb_per_s / 1e3;
    probe.flushed(ms(us / 1e3));
  }
  return bytes;
}

TEST(PathProbe, FindsTheSpeedOfAPathWhateverItsWireUpTook) {
  PathProbe probe;
  measure(probe, 10, 5, 50000);
  EXPECT_NEAR(probe.speed().latency_us, 10, 0.1);
  EXPECT_NEAR(probe.speed().gb_per_s, 5, 0.2);
}

TEST(PathProbe, PutsLittleOnASlowPath) {
  PathProbe probe;
  EXPECT_LT(measure(probe, 500, 0.01, 1000), 2 * kProbeBytes);
  EXPECT_NEAR(probe.speed().gb_per_s, 0.01, 0.001);
}

}  // namespace
}  // namespace ferry
