#pragma once
// The network devices of this machine. UCX only warns of a device that is not there, and then reaches nobody.

#include <string>
#include <vector>

namespace ferry {

std::vector<std::string> rdma_devices();  // "mlx5_0", "rxe0"

// Error that names the missing one and what there is. Devices as UCX names them: "eth0", "mlx5_0:1" (a port).
void require_devices(const std::vector<std::string>& names);

}  // namespace ferry
