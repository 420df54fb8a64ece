#pragma once
// A copy within a card's memory by a kernel that does nothing else: a limit that others are held against.

#include <cuda_runtime_api.h>

#include <cstddef>

namespace ferry::gpu {

// n_bytes are a multiple of 64.
void launch_copy(const std::byte* from, std::byte* to, size_t n_bytes, cudaStream_t stream);

}  // namespace ferry::gpu
