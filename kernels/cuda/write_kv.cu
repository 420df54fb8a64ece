// Keys and values into their pages: reads 8 bytes a pair of values, writes 4 or 8.

#include "core/base/half.h"
#include "kernels/cuda/kv_pages.h"
#include "kernels/cuda/language.h"
#include "kernels/cuda/launches.h"

namespace ferry::cuda {
namespace {

constexpr int kThreads = 128;

__device__ inline void store(KvDtype dtype, std::byte* values, int i, float value) {
  if (dtype == KvDtype::f32) {
    reinterpret_cast<float*>(values)[i] = value;
  } else {
    reinterpret_cast<uint16_t*>(values)[i] = dtype == KvDtype::f16 ? half_of_f32(value) : bf16_of_f32(value);
  }
}

// A block a row.
__global__ void __launch_bounds__(kThreads) write_kv(const WriteKv p) {
  const int row = static_cast<int>(blockIdx.x);
  // Empty sequences begin where the next one does: the last that begins here has the row.
  const int sequence = last_not_after(row, p.batch.n_sequences, [&](int s) { return p.batch.row_begin[s]; });
  const int token = p.batch.positions[row], width = p.kv.n_heads * p.kv.head_dim;
  const int64_t from = static_cast<int64_t>(row) * width;
  for (int i = static_cast<int>(threadIdx.x); i < width; i += kThreads) {
    std::byte* keys = keys_at(p.kv, p.batch, sequence, token, i / p.kv.head_dim);
    store(p.kv.dtype, keys, i % p.kv.head_dim, p.k[from + i]);
    store(p.kv.dtype, keys + p.kv.v_bytes, i % p.kv.head_dim, p.v[from + i]);
  }
}

}  // namespace

void launch_write_kv(const WriteKv& p, Stream stream) { launch(write_kv, {{p.batch.n_rows}, kThreads, 0, stream}, p); }

}  // namespace ferry::cuda
