#pragma once
// What UCX can use on this machine, as it finds it itself. For people: the link asks UCX again when it is made.

#include <string>
#include <vector>

namespace ferry {

std::string ucx_version();  // of the library that runs: "1.13.1"

struct UcxTransport {
  std::string name;    // "tcp", "sysv", "rc_verbs"
  std::string device;  // "eth0", "memory", "mlx5_0:1"
  bool operator==(const UcxTransport&) const = default;
};

// Whether UCX reads and writes memory of a CUDA card on this machine.
bool ucx_knows_cuda();

// Transports of memory domains that can be opened; those that cannot are left out, as UCX leaves them out.
std::vector<UcxTransport> ucx_transports();

}  // namespace ferry
