// Host memory that is not pinned when a card asks for it: who asks is told, and the device can say so later.

#include <gtest/gtest.h>

#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/host/emulator.h"

namespace ferry {
namespace {

class Pinning : public testing::Test {
 protected:
  void TearDown() override { emulator::pin_at_most(SIZE_MAX); }
};

TEST_F(Pinning, WhatIsRefusedIsAddedUpAndTheReasonKept) {
  const auto ops = make_cuda_ops({});
  Device& device = ops->device();
  std::vector<std::byte> small(1 << 10), large(3 << 10);
  emulator::pin_at_most(small.size());
  EXPECT_TRUE(device.pin(small));
  device.unpin(small);
  EXPECT_EQ(device.not_pinned(), "");
  EXPECT_FALSE(device.pin(large));
  EXPECT_FALSE(device.pin(large));
  EXPECT_EQ(device.not_pinned(), "6 KiB of host memory: out of memory");
}

TEST_F(Pinning, IsTriedForWhoeverWantsToKnowBefore) {
  emulator::pin_at_most(1 << 10);
  EXPECT_EQ(why_not_pinned(0, 1 << 10), "");
  EXPECT_EQ(why_not_pinned(0, 1 << 11), "out of memory");
}

}  // namespace
}  // namespace ferry
