#pragma once
// How many blocks and threads run a kernel.

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/runtime.h"

namespace ferry::cuda {

struct Grid {
  int x = 1;
  int y = 1;
  int z = 1;
};

struct LaunchShape {
  Grid grid;                // of blocks
  int n_threads = 0;        // of a block
  size_t shared_bytes = 0;  // of a block
  Stream stream;
};

constexpr int kWarp = 32;  // threads

constexpr int parts_of(int64_t n, int part) { return static_cast<int>((n + part - 1) / part); }

}  // namespace ferry::cuda
