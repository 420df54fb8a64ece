#pragma once
// What a card's memory can do at best: the limits that kernels are held against.

#include <cuda_runtime_api.h>

#include <cstddef>

namespace ferry::gpu {

// n_bytes are a multiple of 64; the kernels do nothing but that.
void launch_read(const std::byte* from, size_t n_bytes, float* never_written, cudaStream_t stream);
void launch_copy(const std::byte* from, std::byte* to, size_t n_bytes, cudaStream_t stream);

}  // namespace ferry::gpu
