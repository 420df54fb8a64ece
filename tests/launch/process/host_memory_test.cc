#include "launch/process/host_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/base/error.h"
#include "launch/process/temporary_folder.h"

namespace ferry {
namespace {

namespace fs = std::filesystem;

class HostMemoryTest : public testing::Test {
 protected:
  void write(const fs::path& path, const std::string& text) const {
    fs::create_directories((root.path() / path).parent_path());
    std::ofstream(root.path() / path) << text;
  }
  void SetUp() override {
    write("proc/meminfo", "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    600 kB\n");
  }
  HostMemory memory() const { return host_memory(root.path()); }

  const TemporaryFolder root{"ferry-host-memory"};
};

TEST_F(HostMemoryTest, IsTheMachinesWhereNothingBoundsIt) {
  write("proc/self/cgroup", "0::/user.slice\n");
  write("sys/fs/cgroup/user.slice/memory.max", "max\n");
  EXPECT_EQ(memory().total_bytes, 1000u << 10);
  EXPECT_EQ(memory().available_bytes, 600u << 10);
}

TEST_F(HostMemoryTest, IsWhatTheTightestGroupAroundItLeaves) {
  write("proc/self/cgroup", "0::/jobs/one\n");
  write("sys/fs/cgroup/jobs/one/memory.max", "max\n");
  write("sys/fs/cgroup/jobs/memory.max", "409600\n");
  write("sys/fs/cgroup/jobs/memory.current", "204800\n");
  write("sys/fs/cgroup/jobs/memory.stat", "anon 1\ninactive_file 102400\n");
  EXPECT_EQ(memory().total_bytes, 409600u);
  EXPECT_EQ(memory().available_bytes, 409600u - 102400u);
}

TEST_F(HostMemoryTest, IsThatOfAContainerWhosePathIsNotToBeSeenInIt) {
  write("proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/docker/0123\n0::/\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "204800\n");
  write("sys/fs/cgroup/memory/memory.usage_in_bytes", "4096\n");
  EXPECT_EQ(memory().total_bytes, 204800u);
  EXPECT_EQ(memory().available_bytes, 200704u);
}

TEST_F(HostMemoryTest, IsNeverMoreThanIsFreeOfTheMachine) {
  write("proc/self/cgroup", "0::/\n");
  write("sys/fs/cgroup/memory.max", "1000000\n");
  EXPECT_EQ(memory().total_bytes, 1000000u);
  EXPECT_EQ(memory().available_bytes, 600u << 10);
}

TEST(RequireRoom, RefusesWhatTheSystemWouldEndProcessesFor) {
  const HostMemory host = {.total_bytes = 8 << 20, .available_bytes = 6 << 20};
  EXPECT_NO_THROW(require_room(host, 6 << 20, 1));
  EXPECT_NO_THROW(require_room(host, 4 << 20, 2));
  EXPECT_THROW(require_room(host, (6 << 20) + 1, 1), Error);
  EXPECT_THROW(require_room(host, (4 << 20) + 1, 2), Error) << "each alone would fit";
  EXPECT_NO_THROW(require_room({}, 6 << 20, 1)) << "nothing is known";
  try {
    require_room(host, 5 << 20, 3);
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), testing::AllOf(testing::HasSubstr("kv.memory: 3 ranks"), testing::HasSubstr("5MiB each"),
                                         testing::HasSubstr("8MiB of memory, 6MiB of it free")));
  }
}

}  // namespace
}  // namespace ferry
