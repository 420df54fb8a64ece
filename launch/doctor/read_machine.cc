// Where the facts about a machine stand on Linux.

#include <sched.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "core/base/error.h"
#include "kernels/cuda/cuda_ops.h"
#include "launch/config/environment.h"
#include "launch/doctor/first_line.h"
#include "launch/doctor/machine.h"
#include "launch/process/host_memory.h"
#include "parallel/mpi_library.h"
#include "transport/ucx/lock_limit.h"

namespace ferry {
namespace {

namespace fs = std::filesystem;

std::string trimmed_after(const std::string& line, char mark) {
  const size_t begin = line.find_first_not_of(" \t", line.find(mark) + 1);
  return begin == std::string::npos ? "" : line.substr(begin);
}

// The value of the first "name : value" of a file of such lines.
std::string value_in(const fs::path& file, std::string_view name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(name)) return trimmed_after(line, ':');
  }
  return "";
}

int cores_allowed() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

size_t free_shared_memory() {
  struct statvfs stats {};
  return statvfs("/dev/shm", &stats) == 0 ? stats.f_bavail * stats.f_frsize : 0;
}

// "4: ACTIVE" → "ACTIVE".
std::vector<RdmaPort> rdma_ports() {
  std::vector<RdmaPort> ports;
  std::error_code none;
  for (const auto& device : fs::directory_iterator("/sys/class/infiniband", none)) {
    for (const auto& port : fs::directory_iterator(device.path() / "ports", none)) {
      const std::string name = device.path().filename().string() + ":" + port.path().filename().string();
      ports.push_back({.name = name, .state = trimmed_after(first_line(port.path() / "state"), ':')});
    }
  }
  std::ranges::sort(ports, {}, &RdmaPort::name);
  return ports;
}

// "always [madvise] never" → "madvise".
std::string huge_page_mode() {
  const std::string modes = first_line("/sys/kernel/mm/transparent_hugepage/enabled");
  const size_t begin = modes.find('[') + 1, end = modes.find(']');
  return begin < end && end != std::string::npos ? modes.substr(begin, end - begin) : "";
}

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

std::string path_of(const std::string& program) {
  const std::optional<fs::path> found = program_in_path(program);
  return found ? found->string() : "";
}

// Done for real: what a driver or a container lets be pinned, no limit says beforehand.
std::optional<PinTrial> try_to_pin(size_t n_bytes) {
  if (n_cuda_cards() == 0) return std::nullopt;
  try {
    return PinTrial{.n_bytes = n_bytes, .why_not = why_not_pinned(0, n_bytes)};
  } catch (const Error& error) {
    return PinTrial{.n_bytes = n_bytes, .why_not = error.what()};
  }
}

}  // namespace

MachineFacts read_machine(size_t staging_bytes) {
  const std::string cpu = value_in("/proc/cpuinfo", "model name");
  const HostMemory memory = host_memory();
  return {
      .host = host_name(),
      .cpu = cpu.empty() ? "an unnamed CPU" : cpu,
      .n_cores = cores_allowed(),
      .simd = best_simd_level(),
      .memory_bytes = memory.total_bytes,
      .available_bytes = memory.available_bytes,
      .shared_bytes = free_shared_memory(),
      .lock_bytes = lock_limit_bytes(),
      .mpirun = path_of("mpirun"),
      .mpi = mpi_library(),
      .ucx = ucx_version(),
      .transports = ucx_transports(),
      .ucx_variables = variables_with("UCX_"),
      .rdma_ports = rdma_ports(),
      .nvidia_driver = trimmed_after(first_line("/proc/driver/nvidia/version"), ':'),
      .nvcc = path_of("nvcc"),
      .n_cards = n_cuda_cards(),
      .why_no_cuda = why_no_cuda(),
      .huge_pages = huge_page_mode(),
      .cards = read_cards(),
      .pinning = try_to_pin(staging_bytes),
  };
}

}  // namespace ferry
