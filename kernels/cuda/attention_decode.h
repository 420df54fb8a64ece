#pragma once
// Attention of sequences of one row, on tensor cores. It is bound by the bytes of keys and values: each is read once
// for up to 16 query heads (more take turns, and find it in the L2 cache). As many blocks as a card holds take spans of
// a sequence and KV head by turns, however many there are: the launch is the same for every batch of a graph. The warps
// of a block have keys of their own, 16 at a time, two tiles on their way; at the end their sums are merged in order.

#include <algorithm>

#include "kernels/cuda/attention_spans.h"
#include "kernels/cuda/launches.h"

namespace ferry::cuda {

template <int kDims>
constexpr int kDecodeWarps = kDims <= 128 ? 4 : 2;
template <int kDims>
constexpr int kDecodeThreads = kDecodeWarps<kDims>* kWarp;
// Blocks on a multiprocessor: what an H100's shared memory holds, and registers leave room for.
template <int kDims>
constexpr int kDecodeBlocks = kDims <= 96 ? 4 : 3;
constexpr int kDecodeStages = 2;

template <int kDims>
struct DecodeStage {
  alignas(16) std::byte k[kTile][kRowBytes<kDims>];
  alignas(16) std::byte v[kTile][kRowBytes<kDims>];
};

// What the warps merge, where their keys and values were. Rows are 8 apart in banks.
template <int kDims>
struct DecodeSums {
  float sums[kDecodeWarps<kDims>][kTile][kDims + 8];
  float largest[kDecodeWarps<kDims>][kTile];
  float total[kDecodeWarps<kDims>][kTile];
};

template <int kDims>
struct DecodeShared {
  DecodeStage<kDims> stages[kDecodeWarps<kDims>][kDecodeStages];
  alignas(16) std::byte q[kTile][kRowBytes<kDims>];
  int places[kDecodeWarps<kDims>][kTile];  // of the rows of the tile that is copied

  __device__ DecodeSums<kDims>& sums() { return *reinterpret_cast<DecodeSums<kDims>*>(stages); }
};

// The tiles of a span that are a warp's, in the order in which they are copied.
template <int kDims>
class DecodeTiles {
 public:
  __device__ DecodeTiles(const KeyRows& keys, int first_token, int (&places)[kTile])
      : keys_(keys), places_(places), token_(first_token), page_(keys.page_of(token_ + lane_row())) {}

  __device__ void copy_next(DecodeStage<kDims>& to) {
    constexpr int kStep = kDecodeWarps<kDims> * kTile;
    __syncwarp();  // all are done with the tile that was there, and with the places
    const int next_page = keys_.page_of(token_ + kStep + lane_row());  // on its way while this tile's is used
    if (token_ < keys_.end) {
      if (threadIdx.x % kWarp < kTile) places_[lane_row()] = keys_.place_of(page_, token_ + lane_row());
      __syncwarp();
      copy_rows<kDims>(to.k, keys_.kv, keys_.places, places_, 0);
      copy_rows<kDims>(to.v, keys_.kv, keys_.places, places_, keys_.places.values);
    }
    end_copy_group();
    page_ = next_page;
    token_ += kStep;
  }

 private:
  __device__ static int lane_row() { return static_cast<int>(threadIdx.x % kTile); }

  const KeyRows& keys_;
  int (&places_)[kTile];
  int token_ = 0;  // of the next tile
  int page_ = 0;   // of the lane's row of it
};

// The queries times the scale and log₂ e, rounded; zeros where there is none.
template <KvDtype kType, int kDims>
__device__ __forceinline__ void stage_queries(const Attention& p, const QueryBlock& block,
                                              DecodeShared<kDims>& shared) {
  constexpr int kFours = kDims / 4;
  const int head_dim = p.kv.head_dim;
  const float scale = p.scale * kLog2OfE;
#pragma unroll
  for (int item = static_cast<int>(threadIdx.x); item < kTile * kFours; item += kDecodeThreads<kDims>) {
    const int query = item / kFours, i = item % kFours * 4;
    float4 q = make_float4(0, 0, 0, 0);
    if (query < block.n_queries && i < head_dim) {
      const int64_t of_head = static_cast<int64_t>(block.row_begin) * p.n_q_heads + block.head(query);
      q = *reinterpret_cast<const float4*>(p.q + of_head * head_dim + i);
    }
    *reinterpret_cast<uint2*>(shared.q[query] + i * 2) =
        make_uint2(pair_of<kType>(q.x * scale, q.y * scale), pair_of<kType>(q.z * scale, q.w * scale));
  }
}

// The warp's places of queries, and of keys and values of its first stage.
struct DecodePlaces {
  SharedPlace q, k, v;
};

template <KvDtype kType, int kDims>
__device__ __forceinline__ void take_tile(const DecodePlaces& places, int n_keys, TileSums<kDims> (&rows)[1]) {
  float scores[1][2][4] = {};
#pragma unroll
  for (int d = 0; d < kDims / kTile; ++d) {
    uint32_t q[4], k[4];
    load_matrices(q, places.q + d * 32);
    load_matrices(k, places.k + d * 32);
    multiply<kType>(scores[0][0], q, make_uint2(k[0], k[1]));
    multiply<kType>(scores[0][1], q, make_uint2(k[2], k[3]));
  }
  if (n_keys < kTile) mask(scores[0], 0, n_keys - 1, n_keys - 1);
  move_bases(scores, rows);
  weigh(scores[0], rows[0]);
  uint32_t a[4];
  as_a<kType>(scores[0][0], scores[0][1], a);
  add_weights<kType>(a, rows[0]);
#pragma unroll
  for (int d = 0; d < kDims / kTile; ++d) {
    uint32_t v[4];
    load_matrices_turned(v, places.v + d * 32);
    multiply<kType>(rows[0].sums[2 * d], a, make_uint2(v[0], v[1]));
    multiply<kType>(rows[0].sums[2 * d + 1], a, make_uint2(v[2], v[3]));
  }
}

// A warp's share of a span.
template <KvDtype kType, int kDims>
__device__ __forceinline__ void take_tiles(const DecodeTask& task, const QueryBlock& block, const Span& span,
                                           DecodeShared<kDims>& shared, TileSums<kDims> (&rows)[1]) {
  const Attention& p = task.p;
  const int warp = static_cast<int>(threadIdx.x / kWarp);
  DecodeStage<kDims>(&stages)[kDecodeStages] = shared.stages[warp];
  const KeyRows keys = {p.kv, task.places, p.batch.pages + span.page_begin, block.kv_head, span.end};
  int token = span.begin + warp * kTile;
  DecodeTiles<kDims> tiles(keys, token, shared.places[warp]);
  for (int stage = 0; stage < kDecodeStages; ++stage) tiles.copy_next(stages[stage]);
  stage_queries<kType>(p, block, shared);
  __syncthreads();
  const DecodePlaces first = {place_of_a<kDims>(shared.q), place_of_b<kDims>(stages[0].k),
                              place_of_a<kDims>(stages[0].v)};
  for (int stage = 0; token < span.end; token += kDecodeWarps<kDims> * kTile, stage = (stage + 1) % kDecodeStages) {
    constexpr int kStageBytes = sizeof(DecodeStage<kDims>);
    wait_for_copies<kDecodeStages - 1>();
    __syncwarp();  // what the other lanes have copied is there
    const DecodePlaces places = {first.q, first.k + stage * kStageBytes, first.v + stage * kStageBytes};
    take_tile<kType>(places, span.end - token, rows);
    tiles.copy_next(stages[stage]);
  }
}

template <int kDims>
__device__ inline void store_sums(const TileSums<kDims>& rows, int n_queries, DecodeSums<kDims>& to) {
  const int warp = static_cast<int>(threadIdx.x / kWarp), lane = static_cast<int>(threadIdx.x % kWarp);
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int query = lane / 4 + r * 8;
    if (query >= n_queries) continue;
    if (lane % 4 == 0) to.largest[warp][query] = rows.largest[r];
    if (lane % 4 == 0) to.total[warp][query] = rows.totals[2 * r];
#pragma unroll
    for (int n = 0; n < kDims / 8; ++n) {
      *reinterpret_cast<float2*>(&to.sums[warp][query][n * 8 + lane % 4 * 2]) =
          make_float2(rows.sums[n][2 * r], rows.sums[n][2 * r + 1]);
    }
  }
}

// The warps' sums, in their order: the output where there is but one span, else its part.
template <int kDims>
__device__ inline void merge_warps(const DecodeTask& task, const QueryBlock& block, const Span& span, int number,
                                   const DecodeSums<kDims>& from) {
  const Attention& p = task.p;
  for (int item = static_cast<int>(threadIdx.x); item < block.n_queries * kDims; item += kDecodeThreads<kDims>) {
    const int query = item / kDims, dim = item % kDims, head = block.head(query);
    if (dim >= p.kv.head_dim) continue;
    float largest = kMasked, sum = 0, total = 0;
    for (int warp = 0; warp < kDecodeWarps<kDims>; ++warp) largest = fmaxf(largest, from.largest[warp][query]);
    for (int warp = 0; warp < kDecodeWarps<kDims>; ++warp) {
      const float factor = quick_exp2(from.largest[warp][query] - largest);
      sum += factor * from.sums[warp][query][dim];
      total += factor * from.total[warp][query];
    }
    if (span.n_of_sequence == 1) {
      p.out[(static_cast<int64_t>(span.row) * p.n_q_heads + head) * p.kv.head_dim + dim] = sum / total;
      continue;
    }
    const int64_t place = static_cast<int64_t>(number) * p.n_q_heads + head;
    task.sums[place * p.kv.head_dim + dim] = sum;
    if (dim == 0) *reinterpret_cast<float2*>(task.scales + place * 2) = make_float2(largest, total);
  }
}

template <KvDtype kType, int kDims>
__global__ void __launch_bounds__(kDecodeThreads<kDims>, kDecodeBlocks<kDims>) attend_decoded(const DecodeTask task) {
  auto& shared = shared_memory<DecodeShared<kDims>>();
  const int n_heads = task.p.kv.n_heads;
  // Lengths, pages and heads are older than this layer's queries and keys.
  expect(task.p.kv_head_of + min(static_cast<int>(threadIdx.x), task.p.n_q_heads - 1));
  SpanWalk walk(task);
  const int n_blocks = walk.even_blocks(task.n_blocks, n_heads);
  wait_for_previous();
  let_next_begin();
  if (static_cast<int>(blockIdx.x) >= n_blocks) return;
  Span span;
  for (int item = static_cast<int>(blockIdx.x); walk.find(item / n_heads, span); item += n_blocks) {
    QueryBlock block;
    block.row_begin = span.row;
    find_heads(task.p, item % n_heads, block);
    for (; block.first < block.n_heads; block.first += kTile) {
      block.n_queries = min(kTile, block.n_heads - block.first);
      TileSums<kDims> rows[1];
      take_tiles<kType>(task, block, span, shared, rows);
      __syncthreads();  // all are done with keys and values
      store_sums(rows[0], block.n_queries, shared.sums());
      __syncthreads();
      merge_warps(task, block, span, item / n_heads, shared.sums());
      __syncthreads();  // keys and values may come again
    }
  }
}

template <KvDtype kType, int kDims>
void launch_decode_of(DecodeTask task, int n_multiprocessors, Stream stream) {
  task.places.rows_follow = rows_follow(task.p.kv, kDims);
  task.n_blocks = std::min(task.n_blocks, n_multiprocessors * kDecodeBlocks<kDims>);
  launch_early(attend_decoded<kType, kDims>,
               {{task.n_blocks}, kDecodeThreads<kDims>, sizeof(DecodeShared<kDims>), stream}, task);
}

// Heads of up to 64, 80, 96, 128 and 256 dims. `n_blocks` of the task: at most.
void launch_decode_64(const DecodeTask& task, int n_multiprocessors, Stream stream);
void launch_decode_80(const DecodeTask& task, int n_multiprocessors, Stream stream);
void launch_decode_96(const DecodeTask& task, int n_multiprocessors, Stream stream);
void launch_decode_128(const DecodeTask& task, int n_multiprocessors, Stream stream);
void launch_decode_256(const DecodeTask& task, int n_multiprocessors, Stream stream);

void launch_merge_decoded(const DecodeTask& task, Stream stream);

}  // namespace ferry::cuda
