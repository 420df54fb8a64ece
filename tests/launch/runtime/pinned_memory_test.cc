#include "launch/runtime/pinned_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/far_device.h"

namespace ferry {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(PinWarning, SaysHowMuchIsMissingWhatItCostsAndWhatToDo) {
  FarDevice device(1);
  EXPECT_EQ(pin_warning(device), "");
  device.refuse_to_pin("out of memory");
  std::byte memory[8];
  EXPECT_FALSE(device.pin(memory));
  EXPECT_THAT(pin_warning(device), StartsWith("not pinned, 8 bytes: out of memory. So a rank waits"));
  EXPECT_THAT(pin_warning(device), HasSubstr("ulimit -l unlimited"));
}

}  // namespace
}  // namespace ferry
