// Queries and keys turn, keys and values go into their pages: reads 4 bytes a value of q, k and v, writes 4 bytes a
// value of q and the cache's type of k and v. One launch, so that keys never go back to memory as f32.

#include "core/base/check.h"
#include "core/base/half.h"
#include "kernels/cuda/kv_pages.h"
#include "kernels/cuda/language.h"
#include "kernels/cuda/launches.h"
#include "kernels/cuda/warp.h"

namespace ferry::cuda {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * kWarp;
constexpr int kMostPairs = 256 / 2 / kWarp;  // that a lane has of a head

struct RotateTask {
  RotateAndStore p;
  int warp_heads = 1;  // that a warp takes, one after the other
};

// Of a lane's pairs: lane, lane + 32, …
struct Turns {
  float sine[kMostPairs];
  float cosine[kMostPairs];
};

__device__ inline void find_turns(const RotateAndStore& p, int position, Turns& turns) {
  constexpr double kHalfTurnsPerRadian = 0.31830988618379067;
#pragma unroll
  for (int j = 0; j < kMostPairs; ++j) {
    const int pair = static_cast<int>(threadIdx.x) % kWarp + j * kWarp;
    if (pair < p.n_rotated / 2) {
      // Whole turns are taken off in double: position · frequency as f32 has lost the angle at a few ten thousand
      // tokens.
      const double half_turns =
          static_cast<double>(position) * static_cast<double>(p.inverse_frequencies[pair]) * kHalfTurnsPerRadian;
      sincospif(static_cast<float>(half_turns - 2 * rint(half_turns / 2)), &turns.sine[j], &turns.cosine[j]);
    }
  }
}

// store(i, value) for each value of a head, normed and turned; what a lane reads, it stores, or has read before.
template <class Store>
__device__ inline void turn_head(const RotateAndStore& p, const float* head, const float* norm, const Turns& turns,
                                 const Store& store) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, n_pairs = p.n_rotated / 2, head_dim = p.kv.head_dim;
  float scale = 1;
  if (norm != nullptr) {
    float squares = 0;
    for (int i = lane; i < head_dim; i += kWarp) squares = fmaf(head[i], head[i], squares);
    scale = 1 / sqrtf(total_of_warp(squares) / static_cast<float>(head_dim) + p.epsilon);
  }
  const auto value = [&](int i) { return norm != nullptr ? head[i] * scale * norm[i] : head[i]; };
#pragma unroll
  for (int j = 0; j < kMostPairs; ++j) {
    const int pair = lane + j * kWarp;
    if (pair < n_pairs) {
      const int first = p.pairs == RopePairs::halves ? pair : 2 * pair;
      const int second = p.pairs == RopePairs::halves ? pair + n_pairs : 2 * pair + 1;
      const float a = value(first), b = value(second);
      store(first, a * turns.cosine[j] - b * turns.sine[j]);
      store(second, a * turns.sine[j] + b * turns.cosine[j]);
    }
  }
  for (int i = p.n_rotated + lane; i < head_dim; i += kWarp) store(i, value(i));
}

__device__ inline void store_rounded(KvDtype dtype, std::byte* values, int i, float value) {
  if (dtype == KvDtype::f32) {
    reinterpret_cast<float*>(values)[i] = value;
  } else {
    reinterpret_cast<uint16_t*>(values)[i] = dtype == KvDtype::f16 ? half_of_f32(value) : bf16_of_f32(value);
  }
}

// A block has some heads of a row, query heads first; all turn by the same angles.
__global__ void __launch_bounds__(kThreads, 8) rotate_and_store(const RotateTask task) {
  const RotateAndStore& p = task.p;
  const int row = static_cast<int>(blockIdx.x), token = p.batch.positions[row], head_dim = p.kv.head_dim;
  let_next_begin();
  if (token < 0) return wait_for_previous();
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  // All that is known before this layer's queries and keys are.
  Turns turns;
  find_turns(p, token, turns);
  std::byte* keys_of_token = keys_at(p.kv, p.batch, sequence_of(row, p.batch), token, 0);
  wait_for_previous();
  for (int i = 0; i < task.warp_heads; ++i) {
    const int number = (static_cast<int>(blockIdx.y) * task.warp_heads + i) * kWarps + warp;
    if (number >= p.n_q_heads + p.kv.n_heads) return;
    const bool is_query = number < p.n_q_heads;
    const int head = is_query ? number : number - p.n_q_heads, n_heads = is_query ? p.n_q_heads : p.kv.n_heads;
    const int64_t from = (static_cast<int64_t>(row) * n_heads + head) * head_dim;
    float* x = (is_query ? p.q : p.k) + from;
    std::byte* keys = keys_of_token + static_cast<size_t>(head) * p.kv.head_bytes;
    turn_head(p, x, is_query ? p.q_norm : p.k_norm, turns, [&](int at, float value) {
      if (is_query) x[at] = value;
      if (!is_query) store_rounded(p.kv.dtype, keys, at, value);
    });
    for (int at = lane; at < head_dim && !is_query; at += kWarp)
      store_rounded(p.kv.dtype, keys + p.kv.v_bytes, at, p.v[from + at]);
  }
}

}  // namespace

void launch_rotate_and_store(const RotateAndStore& p, Stream stream) {
  check(p.kv.head_dim <= 2 * kMostPairs * kWarp, "a head as wide as the kernels know");
  constexpr int kManyRows = 128;  // fill a card with a warp for several heads, which have their angles in common
  const RotateTask task = {.p = p, .warp_heads = p.batch.n_rows < kManyRows ? 1 : 4};
  const int n_blocks = parts_of(p.n_q_heads + p.kv.n_heads, kWarps * task.warp_heads);
  launch_early(rotate_and_store, {{p.batch.n_rows, n_blocks}, kThreads, 0, stream}, task);
}

}  // namespace ferry::cuda
