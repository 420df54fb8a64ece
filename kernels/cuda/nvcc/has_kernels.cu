#include "kernels/cuda/nvcc/has_kernels.h"

#include <cuda_runtime.h>

namespace ferry::cuda {

namespace {
__global__ void nothing() {}
}  // namespace

bool has_kernels() {
  cudaFuncAttributes attributes{};
  const bool has = cudaFuncGetAttributes(&attributes, nothing) == cudaSuccess;
  cudaGetLastError();
  return has;
}

}  // namespace ferry::cuda
