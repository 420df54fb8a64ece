#pragma once
// The attention kernels, one file for each width of a head, so that they compile side by side.

#include "kernels/cuda/attention_kernel.h"

namespace ferry::cuda {

// Blocks of `attend_rows` are numbered so that sequence s begins at row_begin[s] / rows_at_once + s: room for all,
// without a sum over sequences. Some have nothing to do. False: this one.
__device__ inline bool find_rows(const AttentionTask& task, QueryBlock& block, int& n_rows) {
  const BatchView& batch = task.p.batch;
  const int number = static_cast<int>(blockIdx.x), at_once = task.rows_at_once;
  const auto begin_of = [&](int s) { return batch.row_begin[s] / at_once + s; };
  const int s = last_not_after(number, batch.n_sequences, begin_of);
  const int end = batch.row_begin[s + 1], n_of_sequence = end - batch.row_begin[s];
  block.sequence = s;
  block.row_begin = batch.row_begin[s] + (number - begin_of(s)) * at_once;
  n_rows = min(at_once, end - block.row_begin);
  return n_rows > 0 && (n_of_sequence > 1 || task.partial == nullptr);
}

// Blocks on a multiprocessor that registers must leave room for; shared memory does not allow many more.
template <int kValues>
constexpr int kBlocksTogether = kValues <= 4 ? 3 : 2;

template <int kValues>
__global__ void __launch_bounds__(kAttentionThreads, kBlocksTogether<kValues>) attend_rows(const AttentionTask task) {
  AttentionShared<kValues>& shared = shared_memory<AttentionShared<kValues>>();
  QueryBlock block;
  int n_rows = 0;
  if (!find_rows(task, block, n_rows)) return;
  find_heads(task.p, static_cast<int>(blockIdx.y), block);
  by_turns(task.p, n_rows, block, [&] {
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

  find_heads(task.p, static_cast<int>(blockIdx.y), block);
  by_turns(task.p, 1, block, [&] {
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
  const bool has_long = p.batch.most_rows > 1 || task.partial == nullptr;
  if (has_long) {
    const int n_blocks = p.batch.n_rows / task.rows_at_once + p.batch.n_sequences;
    launch(attend_rows<kValues>, {{n_blocks, p.kv.n_heads}, kAttentionThreads, kShared, stream}, task);
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
