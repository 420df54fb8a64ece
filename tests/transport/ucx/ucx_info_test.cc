#include "transport/ucx/ucx_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ferry {
namespace {

TEST(UcxInfo, TheVersionIsThreeNumbers) {
  EXPECT_THAT(ucx_version(), testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
}

TEST(UcxInfo, EveryMachineHasTcpOverItsLoopbackAndSharedMemory) {
  const std::vector<UcxTransport> transports = ucx_transports();
  EXPECT_THAT(transports, testing::Contains(UcxTransport{.name = "tcp", .device = "lo"}));
  EXPECT_THAT(transports, testing::Contains(UcxTransport{.name = "posix", .device = "memory"}));
}

}  // namespace
}  // namespace ferry
