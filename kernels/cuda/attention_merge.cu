// The spans of a sequence of one row, merged in their order. A block a sequence and query head: groups of threads, one
// for each four dims, take every n-th span, many loads at once; then the groups are added up.

#include "kernels/cuda/attention_decode.h"

namespace ferry::cuda {
namespace {

constexpr int kThreads = 256;

struct MergeShared {
  float4 sums[kThreads];
  float totals[kThreads];
};

struct Merged {
  float4 sums = make_float4(0, 0, 0, 0);
  float total = 0;

  __device__ void add(float factor, float4 more, float more_total) {
    sums.x = fmaf(factor, more.x, sums.x);
    sums.y = fmaf(factor, more.y, sums.y);
    sums.z = fmaf(factor, more.z, sums.z);
    sums.w = fmaf(factor, more.w, sums.w);
    total = fmaf(factor, more_total, total);
  }
};

// Spans `group`, group + n_groups, …, for four dims.
__device__ inline Merged merged_spans(const DecodeTask& task, const SpanWalk::Place& place, int group, int n_groups,
                                      int dim) {
  const Attention& p = task.p;
  const int head = static_cast<int>(blockIdx.y), lane = static_cast<int>(threadIdx.x % kWarp);
  const auto at = [&](int span) { return static_cast<int64_t>(place.first_span + span) * p.n_q_heads + head; };
  float largest = kMasked;
  for (int span = lane; span < place.n_spans; span += kWarp) largest = fmaxf(largest, task.scales[at(span) * 2]);
  largest = largest_of_warp(largest);
  Merged merged;
  if (group >= n_groups) return merged;
#pragma unroll 8
  for (int span = group; span < place.n_spans; span += n_groups) {
    const float2 scale = *reinterpret_cast<const float2*>(task.scales + at(span) * 2);
    merged.add(quick_exp2(scale.x - largest),
               *reinterpret_cast<const float4*>(task.sums + at(span) * p.kv.head_dim + dim), scale.y);
  }
  return merged;
}

__global__ void __launch_bounds__(kThreads, 4) merge_decoded(const DecodeTask task) {
  auto& shared = shared_memory<MergeShared>();
  const Attention& p = task.p;
  SpanWalk walk(task);
  const SpanWalk::Place place = walk.place_of(task.first_sequence + static_cast<int>(blockIdx.x));
  let_next_begin();
  wait_for_previous();
  if (!place.is_single || place.n_spans == 1) return;
  const int n_fours = p.kv.head_dim / 4, n_groups = kThreads / n_fours;
  const int thread = static_cast<int>(threadIdx.x), group = thread / n_fours, dim = thread % n_fours * 4;
  Merged merged = merged_spans(task, place, group, n_groups, dim);
  shared.sums[thread] = merged.sums;
  shared.totals[thread] = merged.total;
  __syncthreads();
  if (group > 0) return;
  for (int g = 1; g < n_groups; ++g)
    merged.add(1, shared.sums[g * n_fours + thread], shared.totals[g * n_fours + thread]);
  const float factor = merged.total > 0 ? 1 / merged.total : 0;  // a row that sees nothing gets zeros
  float* out = p.out + (static_cast<int64_t>(place.row) * p.n_q_heads + static_cast<int>(blockIdx.y)) * p.kv.head_dim;
  *reinterpret_cast<float4*>(out + dim) =
      make_float4(merged.sums.x * factor, merged.sums.y * factor, merged.sums.z * factor, merged.sums.w * factor);
}

}  // namespace

void launch_merge_decoded(const DecodeTask& task, Stream stream) {
  launch_early(merge_decoded,
               {{task.end_sequence - task.first_sequence, task.p.n_q_heads}, kThreads, sizeof(MergeShared), stream},
               task);
}

}  // namespace ferry::cuda
