#include "launch/doctor/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace ferry {
namespace {

using testing::HasSubstr;
using Level = Finding::Level;

MachineFacts good_machine() {
  return {.host = "node1",
          .cpu = "A CPU",
          .n_cores = 8,
          .simd = SimdLevel::avx2,
          .memory_bytes = size_t{16} << 30,
          .available_bytes = size_t{12} << 30,
          .shared_bytes = size_t{8} << 30,
          .lock_bytes = std::nullopt,
          .mpirun = "/usr/bin/mpirun",
          .mpi = "Open MPI v4.1.4",
          .ucx = "1.13.1",
          .transports = {{"tcp", "eth0"}, {"tcp", "lo"}, {"posix", "memory"}},
          .ucx_variables = {},
          .rdma_ports = {{"mlx5_0:1", "ACTIVE"}},
          .nvidia_driver = "",
          .nvcc = "",
          .huge_pages = "madvise"};
}

Finding finding(const MachineFacts& machine, const std::string& what) {
  const std::vector<Finding> all = findings_of(machine);
  const auto it = std::ranges::find(all, what, &Finding::what);
  return it == all.end() ? Finding{.what = "none"} : *it;
}

TEST(Machine, OneThatHasAllGivesNoWarning) {
  for (const Finding& f : findings_of(good_machine())) EXPECT_EQ(f.level, Level::ok) << f.what << ": " << f.found;
  EXPECT_EQ(finding(good_machine(), "UCX").found, "1.13.1: posix tcp");
  EXPECT_EQ(finding(good_machine(), "RDMA").found, "mlx5_0:1 ACTIVE");
  EXPECT_EQ(finding(good_machine(), "environment").what, "none");
}

TEST(Machine, WhatIsMissingIsNamedWithItsCostAndWhatToType) {
  MachineFacts m = good_machine();
  m.mpirun = "";
  m.transports = {};
  m.simd = SimdLevel::portable;
  m.available_bytes = 1 << 20;
  m.shared_bytes = 64 << 20;
  m.lock_bytes = 8 << 20;
  m.ucx_variables = {"UCX_TLS=tcp"};
  EXPECT_EQ(finding(m, "MPI").level, Level::problem);
  EXPECT_THAT(finding(m, "MPI").advice, HasSubstr("openmpi-bin"));
  EXPECT_EQ(finding(m, "UCX").level, Level::problem);
  EXPECT_EQ(finding(m, "CPU").level, Level::warning);
  EXPECT_EQ(finding(m, "memory").level, Level::warning);
  EXPECT_EQ(finding(m, "/dev/shm").level, Level::warning);
  EXPECT_THAT(finding(m, "memory lock").advice, HasSubstr("ulimit -l"));
  EXPECT_EQ(finding(m, "environment").found, "UCX_TLS=tcp");
}

TEST(Machine, RdmaThatIsDownIsAWarningAndNoneAtAllIsNot) {
  MachineFacts m = good_machine();
  m.rdma_ports = {{"mlx5_0:1", "DOWN"}};
  EXPECT_EQ(finding(m, "RDMA").level, Level::warning);
  m.rdma_ports = {};
  EXPECT_EQ(finding(m, "RDMA").level, Level::ok);
  m.lock_bytes = 1 << 16;
  EXPECT_EQ(finding(m, "memory lock").level, Level::ok) << "nothing needs locked memory without RDMA";
}

TEST(Machine, MemoryThatCannotBePinnedIsAWarningWithWhatToDo) {
  MachineFacts m = good_machine();
  EXPECT_EQ(finding(m, "pinned memory").what, "none") << "nothing computes on a card";
  m.pinning = {.n_bytes = 64 << 20, .why_not = ""};
  EXPECT_EQ(finding(m, "pinned memory").level, Level::ok);
  EXPECT_EQ(finding(m, "pinned memory").found, "64MiB can be had");
  m.pinning->why_not = "out of memory";
  m.lock_bytes = 8 << 20;
  EXPECT_EQ(finding(m, "pinned memory").level, Level::warning);
  EXPECT_EQ(finding(m, "pinned memory").found, "64MiB cannot be had: out of memory; 8MiB may be locked");
  EXPECT_THAT(finding(m, "pinned memory").cost, HasSubstr("waits for each copy"));
  EXPECT_THAT(finding(m, "pinned memory").advice, HasSubstr("ulimit -l"));
}

TEST(Machine, ThisOneCanBeRead) {
  const MachineFacts m = read_machine(1 << 16);
  EXPECT_FALSE(m.host.empty());
  EXPECT_GE(m.n_cores, 1);
  EXPECT_GT(m.memory_bytes, m.available_bytes);
  EXPECT_GT(m.available_bytes, 0u);
  EXPECT_THAT(m.mpi, HasSubstr("Open MPI"));
}

}  // namespace
}  // namespace ferry
