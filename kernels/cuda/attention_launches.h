#pragma once
// The attention kernels, one file for each width of a head, so that they compile side by side.

#include "kernels/cuda/attention_kernel.h"

namespace ferry::cuda {

// Blocks on a multiprocessor that registers must leave room for; shared memory does not allow many more.
template <int kValues>
constexpr int kBlocksTogether = kValues <= 4 ? 3 : 2;

template <int kValues>
__global__ void __launch_bounds__(kAttentionThreads, kBlocksTogether<kValues>) attend_rows(const AttentionTask task) {
  AttentionShared<kValues>& shared = shared_memory<AttentionShared<kValues>>();
  QueryBlock block;
  if (!find_rows(task.p.batch, task.shares, static_cast<int>(blockIdx.x), block)) return;
  find_heads(task.p, static_cast<int>(blockIdx.y), block);
  by_turns<kQueries>(task.p, block, [&] {
    stage_queries(task, block, shared);
    Softmax<kValues> totals[kWarpQueries];
    for (int span = 0; span * kSpanTokens < block.end_token; ++span) {
      Softmax<kValues> of_span[kWarpQueries];
      attend_to_span(task, block, span, shared, of_span);
#pragma unroll
      for (int q = 0; q < kWarpQueries; ++q) totals[q].merge(of_span[q]);
    }
    for_each_query(block, totals, [&](int query, const Softmax<kValues>& softmax) {
      store_mean(task.p, block.row(query), block.head(query), softmax);
    });
  });
}

// The spans of a sequence are numbered in the same way, over the batch's pages.
__device__ inline int first_span_of(const Attention& p, int sequence) {
  return static_cast<int>(static_cast<int64_t>(p.batch.page_begin[sequence]) * p.kv.page_tokens / kSpanTokens) +
         sequence;
}

__device__ inline float* partial_of(const AttentionTask& task, int span, int head) {
  return task.partial + (static_cast<int64_t>(span) * task.p.n_q_heads + head) * (task.p.kv.head_dim + 2);
}

template <int kValues>
__global__ void __launch_bounds__(kAttentionThreads, kBlocksTogether<kValues>) attend_spans(const AttentionTask task) {
  AttentionShared<kValues>& shared = shared_memory<AttentionShared<kValues>>();
  const BatchView& batch = task.p.batch;
  const int number = static_cast<int>(blockIdx.x);
  QueryBlock block;
  block.sequence = last_not_after(number, batch.n_sequences, [&](int s) { return first_span_of(task.p, s); });
  block.row_begin = batch.row_begin[block.sequence];
  if (batch.row_begin[block.sequence + 1] - block.row_begin != 1) return;
  const int span = number - first_span_of(task.p, block.sequence);
  if (span * kSpanTokens > batch.positions[block.row_begin]) return;

  block.n_rows = 1;
  find_heads(task.p, static_cast<int>(blockIdx.y), block);
  by_turns<kQueries>(task.p, block, [&] {
    stage_queries(task, block, shared);
    Softmax<kValues> softmax[kWarpQueries];
    attend_to_span(task, block, span, shared, softmax);
    for_each_query(block, softmax, [&](int query, const Softmax<kValues>& of_query) {
      const int lane = static_cast<int>(threadIdx.x) % kWarp, head_dim = task.p.kv.head_dim;
      float* to = partial_of(task, number, block.head(query));
#pragma unroll
      for (int i = 0; i < kValues; ++i) {
        if (lane + i * kWarp < head_dim) to[lane + i * kWarp] = of_query.sums[i];
      }
      if (lane == 0) to[head_dim] = of_query.largest;
      if (lane == 0) to[head_dim + 1] = of_query.total;
    });
  });
}

// A warp a sequence and query head.
template <int kValues>
__global__ void __launch_bounds__(kWarp) merge_spans(const AttentionTask task) {
  const int sequence = static_cast<int>(blockIdx.x), head = static_cast<int>(blockIdx.y);
  const int lane = static_cast<int>(threadIdx.x), head_dim = task.p.kv.head_dim;
  const int row = task.p.batch.row_begin[sequence];
  if (task.p.batch.row_begin[sequence + 1] - row != 1) return;
  const int n_spans = parts_of(task.p.batch.positions[row] + 1, kSpanTokens);  // none of padding
  Softmax<kValues> total;
  for (int span = 0; span < n_spans; ++span) {
    const float* from = partial_of(task, first_span_of(task.p, sequence) + span, head);
    Softmax<kValues> of_span;
#pragma unroll
    for (int i = 0; i < kValues; ++i) of_span.sums[i] = lane + i * kWarp < head_dim ? from[lane + i * kWarp] : 0;
    of_span.largest = from[head_dim];
    of_span.total = from[head_dim + 1];
    total.merge(of_span);
  }
  store_mean(task.p, row, head, total);
}

template <int kValues>
void launch_attention_of(const AttentionTask& task, Stream stream) {
  const Attention& p = task.p;
  constexpr size_t kShared = sizeof(AttentionShared<kValues>);
  if (has_rows_of_prompts(p.batch) || task.shares.single_rows) {
    launch(attend_rows<kValues>, {{task.shares.n_blocks(p.batch), p.kv.n_heads}, kAttentionThreads, kShared, stream},
           task);
  }
  if (task.partial != nullptr) {
    launch(attend_spans<kValues>, {{spans_of(p), p.kv.n_heads}, kAttentionThreads, kShared, stream}, task);
    launch(merge_spans<kValues>, {{p.batch.n_sequences, p.n_q_heads}, kWarp, 0, stream}, task);
  }
}

// Heads of up to 64, 96, 128 and 256 dims.
void launch_attention_64(const AttentionTask& task, Stream stream);
void launch_attention_96(const AttentionTask& task, Stream stream);
void launch_attention_128(const AttentionTask& task, Stream stream);
void launch_attention_256(const AttentionTask& task, Stream stream);

}  // namespace ferry::cuda
