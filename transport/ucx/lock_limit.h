#pragma once
// How much memory this process may pin. RDMA cards need KV memory pinned, and to register more than the limit can hang
// instead of fail.

#include <cstddef>
#include <cstdint>
#include <optional>

namespace ferry {

// nullopt: as much as there is (no limit, or the privilege to ignore it).
std::optional<uint64_t> lock_limit_bytes();

// Error that says what to do, when `bytes` are more than the limit.
void require_lockable(size_t bytes, std::optional<uint64_t> limit);

}  // namespace ferry
