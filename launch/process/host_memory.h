#pragma once
// The memory that this process may have: the machine's, or less where a control group (a container, a batch job) bounds
// it.

#include <cstddef>
#include <filesystem>

namespace ferry {

struct HostMemory {
  size_t total_bytes = 0;      // 0: cannot be told, and neither can the other
  size_t available_bytes = 0;  // of these, without swapping
};

// `root`: where /proc and /sys are.
HostMemory host_memory(const std::filesystem::path& root = "/");

// Error where KV memory of so many bytes cannot be had, in each of `n_ranks` ranks here: the system would end processes
// while it is filled, and not say why.
void require_room(const HostMemory& host, size_t kv_bytes, int n_ranks);

}  // namespace ferry
