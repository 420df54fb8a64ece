// Which kernel multiplies, and the sum of ranges of columns that blocks shared out.

#include <algorithm>

#include "kernels/cuda/matmul_kernel.h"

namespace ferry::cuda {
namespace {

constexpr int kThreads = 256;

// In the order in which one block would have added them.
__global__ void __launch_bounds__(kThreads) add_ranges(const MatmulTask task) {
  const int64_t n_out = task.w.n_rows, n = task.p.n_rows * n_out;
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + static_cast<int64_t>(threadIdx.x);
  if (i < n) {
    float total = 0;
    for (int range = 0; range < task.n_ranges; ++range) total += task.partial[range * n + i];
    task.p.y[i] = task.p.bias != nullptr ? total + task.p.bias[i % n_out] : total;
  }
}

}  // namespace

int column_ranges(int n_tiles, int n_groups) {
  constexpr int kBlocksForACard = 512, kGroupsOfARange = 16, kMost = 8;
  const int n_blocks = std::max(1, parts_of(n_tiles, kMatmulWarps));
  return std::clamp(parts_of(kBlocksForACard, n_blocks), 1, std::clamp(n_groups / kGroupsOfARange, 1, kMost));
}

void launch_matmul(const Matmul& p, const WeightView& w, Products products, float* partial, Stream stream) {
  if (p.n_rows == 0) return;
  MatmulTask task = {.p = p, .w = w, .products = products, .n_ranges = column_ranges(w.n_tiles, w.n_groups)};
  if (task.n_ranges > 1 && p.n_rows <= kMostSplitRows) task.partial = partial;
  with_codes(w.format, [&](auto codes) { launch_matmul_of<codes>(task, stream); });
  if (task.partial != nullptr) {
    const int64_t n = static_cast<int64_t>(p.n_rows) * w.n_rows;
    launch(add_ranges, {{parts_of(n, kThreads)}, kThreads, 0, stream}, task);
  }
}

}  // namespace ferry::cuda
