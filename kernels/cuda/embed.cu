// Rows of a table, dequantized: reads a row's bytes, writes 4 bytes a value.

#include "kernels/cuda/language.h"
#include "kernels/cuda/launches.h"
#include "kernels/cuda/weight_codes.h"

namespace ferry::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kParts = 4;  // of a group: what a lane has of a row

struct EmbedTask {
  Embed p;
  WeightView table;
};

template <TensorType kType>
__device__ inline void embed_part(const EmbedTask& task, int row, int part, float* out) {
  const WeightView& w = task.table;
  const int group = part / kParts, t = part % kParts;
  float values[2][8];
  values_of<kType>(w, row / kTileRows, group, row % 8 * 4 + t, values);
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const float value = row % kTileRows < 8 ? values[0][i] : values[1][i];
    const int column = group * kGroupColumns + i / 4 * 16 + 4 * t + i % 4 - w.first_col;
    if (column >= 0 && column < w.n_cols) out[column] = value * task.p.scale;
  }
}

template <TensorType kType>
__global__ void __launch_bounds__(kThreads) embed(const EmbedTask task) {
  let_next_begin();
  const int row = task.p.tokens[blockIdx.x] - task.p.first_token;
  float* out = task.p.out + static_cast<int64_t>(blockIdx.x) * task.table.n_cols;
  if (row >= 0 && row < task.table.n_rows) {
    for (int part = static_cast<int>(threadIdx.x); part < task.table.n_groups * kParts; part += kThreads)
      embed_part<kType>(task, row, part, out);
  } else {
    for (int i = static_cast<int>(threadIdx.x); i < task.table.n_cols; i += kThreads) out[i] = 0;
  }
}

}  // namespace

void launch_embed(const Embed& p, const WeightView& table, Stream stream) {
  const EmbedTask task = {p, table};
  with_type(table.type, [&](auto type) { launch(embed<type>, {{p.n_rows}, kThreads, 0, stream}, task); });
}

}  // namespace ferry::cuda
