#include "transport/ucx/network_devices.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "transport/ucx/ucx_link.h"

namespace ferry {
namespace {

TEST(NetworkDevices, TheLoopbackIsThere) { require_devices({"lo"}); }

TEST(NetworkDevices, OneThatIsNotThereIsAnErrorThatNamesItAndTheOthers) {
  try {
    require_devices({"lo", "mlx9_7:1"});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("mlx9_7:1"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("lo"), std::string::npos) << error.what();
  }
  EXPECT_THROW(make_ucx_link({.transport = UcxOptions::Transport::tcp, .devices = {"mlx9_7:1"}}), Error);
}

TEST(NetworkDevices, RdmaWithoutADeviceIsAnError) {
  if (!rdma_devices().empty()) GTEST_SKIP() << "this machine has " << rdma_devices()[0];
  EXPECT_THROW(make_ucx_link({.transport = UcxOptions::Transport::rdma}), Error);
}

}  // namespace
}  // namespace ferry
