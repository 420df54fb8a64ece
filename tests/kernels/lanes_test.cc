// Vectors of sixteen lanes made by the compiler: what AVX-512 computes with, but for its own instructions, on any CPU.

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/cpu/kernel_set.h"
#include "kernels/cpu/kernel_set_of.h"
#include "kernels/cpu/lanes_portable.h"

namespace ferry {

KernelSet sixteen_lane_kernels() { return kernel_set_of<PortableLanes<16>>("portable of 16 lanes"); }

namespace {

using Wide = PortableLanes<16>;

float exponential_of(float x) { return exponential<Wide>(Wide::splat(x))[3]; }

TEST(Lanes, AnExponentialIsRightToTheLastBitsWhereItIsANormalNumber) {
  for (float x = kSmallestExponent; x < kLargestExponent; x += 0.0137f) {
    const double want = std::exp(static_cast<double>(x));
    ASSERT_NEAR(static_cast<double>(exponential_of(x)), want, 2e-7 * want) << x;
  }
  EXPECT_EQ(exponential_of(0), 1);
}

TEST(Lanes, AnExponentialOfLessIsZero) {
  EXPECT_EQ(exponential_of(-90), 0);
  EXPECT_EQ(exponential_of(-INFINITY), 0);
}

}  // namespace
}  // namespace ferry
