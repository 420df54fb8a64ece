#include "kernels/cpu/limits.h"

#include <gtest/gtest.h>

namespace ferry {
namespace {

TEST(CpuLimits, AnyCpuMultipliesAndReads) {
  for (const int n_threads : {1, 2}) {
    const CpuLimits limits = measure_cpu_limits(n_threads);
    EXPECT_GT(limits.f32_gflop_s, 0);
    EXPECT_GT(limits.read_gb_s, 0);
  }
}

}  // namespace
}  // namespace ferry
