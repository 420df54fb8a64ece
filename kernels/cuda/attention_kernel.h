#pragma once
// Attention over pages in exact f32, for f32 caches and Products::f32. A block has the queries of a KV head that read
// it together (GQA: each key and value is read from memory once for all of them), at most 16: a warp four. Keys come in
// tiles of 32, one a lane; softmax is online within a span of 256 tokens, and the spans' results are merged in their
// order. What a row gets depends on nothing but its position: not on the rows beside it, nor on how the spans are
// shared out.
//
// Two kernels differ in who has which span:
//   rows    sequences of several rows: a block takes 16 queries through all spans
//   spans   sequences of one row: a block a span; merge_spans adds them up. Bound by the bytes of keys and values

#include "kernels/cuda/attention_queries.h"
#include "kernels/cuda/bf16_terms.h"
#include "kernels/cuda/launches.h"
#include "kernels/cuda/warp.h"

namespace ferry::cuda {

constexpr int kAttentionWarps = 4;
constexpr int kAttentionThreads = kAttentionWarps * kWarp;
constexpr int kWarpQueries = 4;
constexpr int kQueries = kAttentionWarps * kWarpQueries;
constexpr int kTileTokens = kWarp;
constexpr int kSpanTokens = 256;

// Room for the spans of a batch of sequences of one row.
inline int spans_of(const Attention& p) {
  return static_cast<int>(static_cast<int64_t>(p.batch.n_pages) * p.kv.page_tokens / kSpanTokens) + p.batch.n_sequences;
}

struct AttentionTask {
  Attention p;
  RowShares shares;
  float* partial = nullptr;  // [span][query head][head_dim, largest score, total]; null: no spans are shared out
};

// A lane has dims lane, lane + 32, … of a query: kValues of them.
template <int kValues>
struct AttentionShared {
  static constexpr int kRow = kWarp * kValues + 4;  // so that 8 lanes, each at its own key, read all 32 banks
  alignas(16) float q[kQueries][kRow];
  alignas(16) float k[kTileTokens][kRow];
  alignas(16) float v[kTileTokens][kRow];
  float weights[kQueries][kTileTokens];
};

// The weighted mean of values so far, of one query: `sums` over exp2(score − largest), and their total.
template <int kValues>
struct Softmax {
  float largest = kMasked;
  float total = 0;  // the same in all lanes
  float sums[kValues] = {};

  __device__ __forceinline__ void scale_to(float new_largest) {
    const float factor = largest == kMasked ? 0 : exp2f(largest - new_largest);
    largest = new_largest;
    total *= factor;
#pragma unroll
    for (int i = 0; i < kValues; ++i) sums[i] *= factor;
  }
  __device__ __forceinline__ void merge(Softmax later) {
    const float both = fmaxf(largest, later.largest);
    scale_to(both);
    later.scale_to(both);
    total += later.total;
#pragma unroll
    for (int i = 0; i < kValues; ++i) sums[i] += later.sums[i];
  }
};

// Four values from dim `i` on; i and head_dim are multiples of four.
__device__ inline float4 four_of_kv(KvDtype dtype, const std::byte* values, int i) {
  if (dtype == KvDtype::f32) return *reinterpret_cast<const float4*>(values + i * sizeof(float));
  const uint2 pairs = *reinterpret_cast<const uint2*>(values + i * sizeof(uint16_t));
  if (dtype == KvDtype::bf16) {
    return make_float4(low_of_pair(pairs.x), high_of_pair(pairs.x), low_of_pair(pairs.y), high_of_pair(pairs.y));
  }
  const auto half = [](uint32_t pair, int which) { return f32_of_half(static_cast<uint16_t>(pair >> (16 * which))); };
  return make_float4(half(pairs.x, 0), half(pairs.x, 1), half(pairs.y, 0), half(pairs.y, 1));
}

// Keys and values of the tokens from `token` on. What is beyond the end, and beyond head_dim, is zero: a weight of zero
// times a value that is not a number would not be.
template <int kValues>
__device__ inline void stage_keys(const AttentionTask& task, const QueryBlock& block, int token,
                                  AttentionShared<kValues>& shared) {
  constexpr int kFours = kWarp * kValues / 4;
  const KvLayer& kv = task.p.kv;
  for (int item = static_cast<int>(threadIdx.x); item < kTileTokens * kFours; item += kAttentionThreads) {
    const int t = item / kFours, i = item % kFours * 4;
    float4 k = make_float4(0, 0, 0, 0), v = k;
    if (token + t < block.end_token && i < kv.head_dim) {
      const std::byte* keys = keys_at(kv, task.p.batch, block.sequence, token + t, block.kv_head);
      k = four_of_kv(kv.dtype, keys, i);
      v = four_of_kv(kv.dtype, keys + kv.v_bytes, i);
    }
    *reinterpret_cast<float4*>(&shared.k[t][i]) = k;
    *reinterpret_cast<float4*>(&shared.v[t][i]) = v;
  }
}

template <int kValues>
__device__ inline void stage_queries(const AttentionTask& task, const QueryBlock& block,
                                     AttentionShared<kValues>& shared) {
  const int head_dim = task.p.kv.head_dim;
  for (int item = static_cast<int>(threadIdx.x); item < kQueries * kWarp * kValues; item += kAttentionThreads) {
    const int query = item / (kWarp * kValues), i = item % (kWarp * kValues);
    float value = 0;
    if (query < block.n_queries && i < head_dim) {
      value = task.p.q[(static_cast<int64_t>(block.row(query)) * task.p.n_q_heads + block.head(query)) * head_dim + i];
    }
    shared.q[query][i] = value;
  }
}

// A lane's key with the warp's queries.
template <int kValues>
__device__ __forceinline__ void score(const AttentionShared<kValues>& shared, int first_query,
                                      float (&scores)[kWarpQueries]) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
  for (int q = 0; q < kWarpQueries; ++q) scores[q] = 0;
#pragma unroll 4
  for (int i = 0; i < kWarp * kValues; i += 4) {
    const float4 k = *reinterpret_cast<const float4*>(&shared.k[lane][i]);
#pragma unroll
    for (int q = 0; q < kWarpQueries; ++q) {
      const float4 x = *reinterpret_cast<const float4*>(&shared.q[first_query + q][i]);
      scores[q] = fmaf(x.w, k.w, fmaf(x.z, k.z, fmaf(x.y, k.y, fmaf(x.x, k.x, scores[q]))));
    }
  }
}

// One tile of keys, staged, for the warp's queries. `scores` are a lane's key's, masked where it is not seen.
template <int kValues>
__device__ __forceinline__ void take_tile(AttentionShared<kValues>& shared, int first_query,
                                          const float (&scores)[kWarpQueries],
                                          Softmax<kValues> (&softmax)[kWarpQueries]) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
  for (int q = 0; q < kWarpQueries; ++q) {
    const float largest = fmaxf(softmax[q].largest, largest_of_warp(scores[q]));
    const float weight = scores[q] == kMasked ? 0 : exp2f(scores[q] - largest);
    softmax[q].scale_to(largest);
    softmax[q].total += total_of_warp(weight);
    shared.weights[first_query + q][lane] = weight;
  }
  __syncwarp();
#pragma unroll 4
  for (int t = 0; t < kTileTokens; ++t) {
#pragma unroll
    for (int i = 0; i < kValues; ++i) {
      const float value = shared.v[t][lane + i * kWarp];
#pragma unroll
      for (int q = 0; q < kWarpQueries; ++q)
        softmax[q].sums[i] = fmaf(shared.weights[first_query + q][t], value, softmax[q].sums[i]);
    }
  }
  __syncwarp();  // the next tile's weights come after these are used
}

template <int kValues>
__device__ inline void attend_to_span(const AttentionTask& task, const QueryBlock& block, int span,
                                      AttentionShared<kValues>& shared, Softmax<kValues> (&softmax)[kWarpQueries]) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int first_query = warp * kWarpQueries;
  const int end = min(block.end_token, (span + 1) * kSpanTokens);
  for (int token = span * kSpanTokens; token < end; token += kTileTokens) {
    __syncthreads();  // all are done with the keys before
    stage_keys(task, block, token, shared);
    __syncthreads();
    float scores[kWarpQueries];
    score(shared, first_query, scores);
#pragma unroll
    for (int q = 0; q < kWarpQueries; ++q) {
      const int query = first_query + q;
      const int position = query < block.n_queries ? task.p.batch.positions[block.row(query)] : -1;
      scores[q] = token + lane <= position ? scores[q] * (task.p.scale * kLog2OfE) : kMasked;
    }
    take_tile(shared, first_query, scores, softmax);
  }
}

// f(query, softmax) for each of the warp's queries that there is.
template <int kValues, class F>
__device__ inline void for_each_query(const QueryBlock& block, const Softmax<kValues> (&softmax)[kWarpQueries],
                                      const F& f) {
  const int first_query = static_cast<int>(threadIdx.x) / kWarp * kWarpQueries;
#pragma unroll
  for (int q = 0; q < kWarpQueries; ++q) {
    if (first_query + q < block.n_queries) f(first_query + q, softmax[q]);
  }
}

template <int kValues>
__device__ inline void store_mean(const Attention& p, int row, int head, const Softmax<kValues>& softmax) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, head_dim = p.kv.head_dim;
  float* out = p.out + (static_cast<int64_t>(row) * p.n_q_heads + head) * head_dim;
#pragma unroll
  for (int i = 0; i < kValues; ++i) {
    if (lane + i * kWarp < head_dim) out[lane + i * kWarp] = softmax.total > 0 ? softmax.sums[i] / softmax.total : 0;
  }
}

}  // namespace ferry::cuda
