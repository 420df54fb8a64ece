#include "transport/ucx/ucx_settings.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "core/base/error.h"

namespace ferry {
namespace {

std::map<std::string, std::string> effective(const UcxOptions& options) {
  std::map<std::string, std::string> result;
  for (const auto& [name, value] : ucx_settings(options)) result[name] = value;
  return result;
}

class Environment {  // one variable, for the length of a test
 public:
  Environment(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Environment() { unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
};

TEST(UcxSettings, SharedMemoryIsAskedToNoticeDeath) {
  EXPECT_EQ(effective({.transport = UcxOptions::Transport::automatic})["MM_ERROR_HANDLING"], "y");
  EXPECT_EQ(effective({.transport = UcxOptions::Transport::shm})["MM_ERROR_HANDLING"], "y");
  EXPECT_FALSE(effective({.transport = UcxOptions::Transport::tcp}).contains("MM_ERROR_HANDLING"));
}

TEST(UcxSettings, DevicesAndExtraSettingsArePassedOn) {
  auto settings = effective({.devices = {"eth0", "mlx5_0:1"}, .extra = {{"TLS", "tcp"}, {"MAX_RNDV_RAILS", "2"}}});
  EXPECT_EQ(settings["NET_DEVICES"], "eth0,mlx5_0:1");
  EXPECT_EQ(settings["TLS"], "tcp");
  EXPECT_EQ(settings["MAX_RNDV_RAILS"], "2");
}

TEST(UcxSettings, AnEnvironmentThatSaysOtherwiseIsReported) {
  const UcxOptions tcp{.transport = UcxOptions::Transport::tcp};
  EXPECT_TRUE(conflicting_ucx_environment(tcp).empty());
  const Environment same("UCX_KEEPALIVE_INTERVAL", "inf"), unrelated("UCX_LOG_LEVEL", "warn");
  EXPECT_TRUE(conflicting_ucx_environment(tcp).empty());
  const Environment other("UCX_TLS", "self,sysv");
  const auto conflicts = conflicting_ucx_environment(tcp);
  ASSERT_EQ(conflicts.size(), 1u);
  EXPECT_NE(conflicts[0].find("UCX_TLS=self,sysv"), std::string::npos);
  EXPECT_NE(conflicts[0].find("self,tcp"), std::string::npos);
}

TEST(UcxSettings, AValueThatUcxDoesNotTakeIsAnErrorThatNamesIt) {
  try {
    make_ucx_link({.extra = {{"KEEPALIVE_INTERVAL", "soon"}}});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("KEEPALIVE_INTERVAL"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace ferry
