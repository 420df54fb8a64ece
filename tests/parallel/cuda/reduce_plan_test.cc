#include "parallel/cuda/reduce_plan.h"

#include <gtest/gtest.h>

#include "core/base/codec.h"

namespace ferry {
namespace {

constexpr auto kOne = ReduceMethod::one_shot, kTwo = ReduceMethod::two_shot, kNccl = ReduceMethod::nccl;

TEST(ReducePlan, TakesTheFastestOfEachSizeThatWasTimed) {
  const ReducePlan plan = plan_of({{kOne, 4096, 5e-6},
                                   {kNccl, 4096, 2e-5},
                                   {kNccl, 65536, 3e-5},
                                   {kOne, 65536, 9e-6},
                                   {kTwo, 65536, 8e-6},
                                   {kTwo, 1 << 20, 9e-5},
                                   {kNccl, 1 << 20, 6e-5}});
  EXPECT_EQ(plan.method_for(4), kOne);
  EXPECT_EQ(plan.method_for(4096), kOne);
  EXPECT_EQ(plan.method_for(4097), kTwo);
  EXPECT_EQ(plan.method_for(65536), kTwo);
  EXPECT_EQ(plan.method_for(65540), kNccl);
  EXPECT_EQ(plan.method_for(size_t{1} << 40), kNccl);
  EXPECT_EQ(plan.text(), "one-shot up to 4 KiB, two-shot up to 64 KiB, NCCL above");
}

TEST(ReducePlan, SizesWithTheSameAnswerAreOneChoice) {
  const ReducePlan plan = plan_of({{kTwo, 4096, 1}, {kTwo, 16384, 1}, {kTwo, 65536, 1}});
  EXPECT_EQ(plan, (ReducePlan{{{.method = kTwo}}}));
  EXPECT_EQ(plan.text(), "two-shot");
}

TEST(ReducePlan, WhatIsTimedFirstWinsATie) {
  EXPECT_EQ(plan_of({{kOne, 4096, 1}, {kNccl, 4096, 1}}).method_for(1), kOne);
}

TEST(ReducePlan, GoesToTheOtherRanksAsBytes) {
  const ReducePlan plan = plan_of({{kOne, 4096, 1}, {kNccl, 8192, 1}});
  EXPECT_EQ(unpack<ReducePlan>(pack(plan)), plan);
}

}  // namespace
}  // namespace ferry
