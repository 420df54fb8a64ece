#pragma once
// What the CUDA runtime says of a call, as an Error.

#include <cuda_runtime_api.h>

#include "core/base/error.h"

namespace ferry::cuda {

inline void demand(cudaError_t result, const char* what) {
  if (result == cudaSuccess) return;
  cudaGetLastError();  // it is told here, and not again by the next launch
  throw Error(str("CUDA: ", what, ": ", cudaGetErrorString(result)));
}

}  // namespace ferry::cuda
