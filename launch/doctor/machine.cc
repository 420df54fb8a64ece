#include "launch/doctor/machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "launch/config/byte_size.h"
#include "launch/runtime/pinned_memory.h"

namespace ferry {
namespace {

using Level = Finding::Level;

// Open MPI and the link both keep small things there; containers often allow 64 MiB, and writing beyond that kills.
constexpr size_t kLittleShared = size_t{256} << 20;
constexpr size_t kLittleMemory = size_t{1} << 30;

Finding cpu(const MachineFacts& m) {
  Finding f{.what = "CPU", .found = fmt::format("{}, {} cores, {}", m.cpu, m.n_cores, name_of(m.simd))};
  if (m.simd != SimdLevel::portable) return f;
  f.level = Level::warning;
  f.cost = "without AVX2, FMA and F16C computing is several times slower";
  return f;
}

Finding memory(const MachineFacts& m) {
  Finding f{.what = "memory",
            .found = fmt::format("{}, {} free", byte_size_text(m.memory_bytes), byte_size_text(m.available_bytes))};
  if (m.available_bytes >= kLittleMemory) return f;
  f.level = Level::warning;
  f.cost = "weights and KV pages of most models need more";
  return f;
}

Finding shared_memory(const MachineFacts& m) {
  Finding f{.what = "/dev/shm", .found = byte_size_text(m.shared_bytes) + " free"};
  if (m.shared_bytes >= kLittleShared) return f;
  f.level = Level::warning;
  f.cost = "groups on one host exchange KV through it; when it is full, processes die";
  f.advice = "docker run --shm-size=4g …, or mount -o remount,size=4G /dev/shm";
  return f;
}

Finding locked_memory(const MachineFacts& m) {
  Finding f{.what = "memory lock", .found = m.lock_bytes ? byte_size_text(*m.lock_bytes) : "no limit"};
  if (!m.lock_bytes || m.rdma_ports.empty()) return f;
  f.level = Level::warning;
  f.cost = "RDMA needs all KV memory locked; a larger kv.memory is refused";
  f.advice = "ulimit -l unlimited, or memlock in /etc/security/limits.conf";
  return f;
}

Finding mpi(const MachineFacts& m) {
  if (!m.mpirun.empty()) return {.what = "MPI", .found = fmt::format("{}, {}", m.mpi, m.mpirun)};
  return {.level = Level::problem,
          .what = "MPI",
          .found = "no mpirun in PATH",
          .cost = "no group can be started",
          .advice = "apt-get install openmpi-bin"};
}

Finding ucx(const MachineFacts& m) {
  std::set<std::string> names;
  for (const UcxTransport& transport : m.transports) names.insert(transport.name);
  Finding f{.what = "UCX", .found = fmt::format("{}: {}", m.ucx, fmt::join(names, " "))};
  if (!m.transports.empty()) return f;
  f.level = Level::problem;
  f.found = fmt::format("{}, no transports", m.ucx);
  f.cost = "no KV can be sent";
  f.advice = "apt-get install --reinstall libucx0";
  return f;
}

Finding ucx_environment(const MachineFacts& m) {
  return {.level = Level::warning,
          .what = "environment",
          .found = fmt::format("{}", fmt::join(m.ucx_variables, " ")),
          .cost = "it changes how KV is sent, and no file says so",
          .advice = "unset these; the YAML's link section has what is needed"};
}

Finding rdma(const MachineFacts& m) {
  if (m.rdma_ports.empty()) {
    return {.what = "RDMA", .found = "no device", .cost = "KV between hosts goes over TCP"};
  }
  std::vector<std::string> ports;
  for (const RdmaPort& port : m.rdma_ports) ports.push_back(fmt::format("{} {}", port.name, port.state));
  Finding f{.what = "RDMA", .found = fmt::format("{}", fmt::join(ports, ", "))};
  if (std::ranges::any_of(m.rdma_ports, [](const RdmaPort& port) { return port.state == "ACTIVE"; })) return f;
  f.level = Level::warning;
  f.cost = "no port is active: KV between hosts goes over TCP";
  f.advice = "ibstat, or rdma link, says more";
  return f;
}

Finding cuda(const MachineFacts& m) {
  if (m.nvidia_driver.empty()) return {.what = "CUDA", .found = "no NVIDIA driver", .cost = "the CPU computes"};
  return {.what = "CUDA",
          .found = fmt::format("{}{}", m.nvidia_driver, m.nvcc.empty() ? "" : ", " + m.nvcc),
          .cost = m.why_no_cuda.empty() ? "" : m.why_no_cuda + ": the CPU computes"};
}

Finding pinned_memory(const MachineFacts& m) {
  const std::string size = byte_size_text(m.pinning->n_bytes);
  Finding f{.what = "pinned memory", .found = size + " can be had"};
  if (m.pinning->why_not.empty()) return f;
  f.level = Level::warning;
  f.found = fmt::format("{} cannot be had: {}", size, m.pinning->why_not);
  if (m.lock_bytes) f.found += fmt::format("; {} may be locked", byte_size_text(*m.lock_bytes));
  f.cost = kUnpinnedCost;
  f.advice = kPinAdvice;
  return f;
}

Finding huge_pages(const MachineFacts& m) {
  const std::string mode = m.huge_pages.empty() ? "none" : m.huge_pages;
  Finding f{.what = "huge pages", .found = mode};
  if (m.huge_pages == "never") {
    f.cost = "a few percent of memory bandwidth";
    f.advice = "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled";
  }
  return f;
}

}  // namespace

std::vector<Finding> findings_of(const MachineFacts& m) {
  std::vector<Finding> findings = {cpu(m), memory(m), shared_memory(m), locked_memory(m), mpi(m),
                                   ucx(m), rdma(m),   cuda(m),          huge_pages(m)};
  if (const auto f = card_kv_finding(m.cards)) findings.push_back(*f);
  if (m.pinning) findings.push_back(pinned_memory(m));
  if (!m.ucx_variables.empty()) findings.push_back(ucx_environment(m));
  return findings;
}

}  // namespace ferry
