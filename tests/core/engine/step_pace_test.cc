#include "core/engine/step_pace.h"

#include <gtest/gtest.h>

namespace ferry {
namespace {

using std::chrono::milliseconds;

// A device that computes so many rows in a millisecond.
int rows_after(StepPace& pace, int steps, double rows_per_ms) {
  for (int i = 0; i < steps; ++i) pace.ran(pace.rows(), ms(pace.rows() / rows_per_ms));
  return pace.rows();
}

TEST(StepPace, StepsBecomeAsLongAsTheyMayBe) {
  StepPace pace(512, milliseconds(200));
  EXPECT_NEAR(rows_after(pace, 8, 1), 200, 1);
  EXPECT_NEAR(rows_after(pace, 8, 0.5), 100, 1);
}

TEST(StepPace, AFastDeviceSoonGetsWholeBatches) {
  StepPace pace(512, milliseconds(200));
  EXPECT_EQ(rows_after(pace, 3, 1000), 512);
}

TEST(StepPace, ASlowOneStillGetsOn) {
  StepPace pace(512, milliseconds(200));
  EXPECT_EQ(rows_after(pace, 10, 0.001), StepPace::kLeast);
  StepPace small(8, milliseconds(200));
  EXPECT_EQ(rows_after(small, 10, 0.001), 8);
}

TEST(StepPace, AStepOfFewRowsSaysNothingUnlessItWasSlow) {
  StepPace pace(512, milliseconds(200));
  const int before = rows_after(pace, 8, 1);
  pace.ran(1, milliseconds(5));
  EXPECT_EQ(pace.rows(), before);
  pace.ran(0, milliseconds(500));  // a heartbeat
  EXPECT_EQ(pace.rows(), before);
  pace.ran(40, milliseconds(400));
  EXPECT_EQ(pace.rows(), StepPace::kLeast);
}

TEST(StepPace, WithoutATargetTheyAreAsLargeAsTheyMayBe) {
  StepPace pace(512, Duration::zero());
  EXPECT_EQ(rows_after(pace, 3, 0.001), 512);
}

}  // namespace
}  // namespace ferry
