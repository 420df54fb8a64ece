// Rows of a weight as bf16, for a library that knows no other: reads a row's bytes, writes 2 bytes a value.

#include "kernels/cuda/dequantize.h"

#include "kernels/cuda/language.h"
#include "kernels/cuda/weight_codes.h"

namespace ferry::cuda {
namespace {

constexpr int kWarps = 4;

// A warp has a step of a tile.
template <TensorType kType>
__global__ void __launch_bounds__(kWarps* kWarp) dequantize(const Dequantize p) {
  constexpr int kGroups = step_of(kType).n_groups;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int step = static_cast<int>(blockIdx.x) * kWarps + static_cast<int>(threadIdx.x) / kWarp;
  const int tile = static_cast<int>(blockIdx.y);
  if (step >= p.w.n_steps) return;
  const int64_t n_columns = p.w.n_groups * kGroupColumns;
#pragma unroll
  for (int g = 0; g < kGroups; ++g) {
    const int group = step * kGroups + g;
    float values[2][8];
    values_of<kType>(p.w, p.first_row / kTileRows + tile, group, lane, values);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const float(&v)[8] = values[r];
      const int64_t row = tile * kTileRows + lane / 4 + 8 * r;
      *reinterpret_cast<uint4*>(p.to + row * n_columns + group * kGroupColumns + lane % 4 * 8) =
          make_uint4(bf16_pair(v[0], v[1]), bf16_pair(v[2], v[3]), bf16_pair(v[4], v[5]), bf16_pair(v[6], v[7]));
    }
  }
}

}  // namespace

void launch_dequantize(const Dequantize& p, Stream stream) {
  const LaunchShape shape = {{parts_of(p.w.n_steps, kWarps), parts_of(p.n_rows, kTileRows)}, kWarps * kWarp, 0, stream};
  with_type(p.w.type, [&](auto type) { launch(dequantize<type>, shape, p); });
}

}  // namespace ferry::cuda
