#pragma once
// The machine that this process runs on: facts as they are read, and what they mean for Ferry.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/cpu/cpu_ops.h"
#include "launch/doctor/cards.h"
#include "launch/doctor/finding.h"
#include "transport/ucx/ucx_info.h"

namespace ferry {

struct RdmaPort {
  std::string name;   // "mlx5_0:1"
  std::string state;  // "ACTIVE"
};

struct PinTrial {
  size_t n_bytes = 0;   // of the host, that were to be pinned for a card
  std::string why_not;  // empty: they were
};

struct MachineFacts {
  std::string host;
  std::string cpu;  // as it calls itself
  int n_cores = 0;  // that this process may use
  SimdLevel simd = SimdLevel::portable;
  size_t memory_bytes = 0;
  size_t available_bytes = 0;          // of memory, without swapping
  size_t shared_bytes = 0;             // free in /dev/shm
  std::optional<uint64_t> lock_bytes;  // that this process may lock; nullopt: all
  std::string mpirun;                  // where it is; empty: nowhere
  std::string mpi;                     // the library's version
  std::string ucx;
  std::vector<UcxTransport> transports;
  std::vector<std::string> ucx_variables;  // "UCX_TLS=tcp"
  std::vector<RdmaPort> rdma_ports;
  std::string nvidia_driver;  // empty: none
  std::string nvcc;
  int n_cards = 0;          // that this program can see
  std::string why_no_cuda;  // empty: this program computes on a card here
  std::string huge_pages;   // "madvise": transparent ones
  CardFacts cards;
  std::optional<PinTrial> pinning;  // nullopt: no card that this program computes on
};

// `staging_bytes`: that a rank with a card takes of pinned memory (link.staging).
MachineFacts read_machine(size_t staging_bytes);

std::vector<Finding> findings_of(const MachineFacts& machine);

}  // namespace ferry
