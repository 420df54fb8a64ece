#pragma once
// Attention of the rows of prompts, on tensor cores. A block has up to 128 queries (rows · heads of a KV head), a warp
// 32 of them (16 of wide heads: their sums fill the registers), so that each key and value that a warp reads from
// shared memory is multiplied twice. Keys and values come in tiles of 64 tokens: the values are on their way while the
// keys are multiplied, and the other way round. Tiles begin at the same tokens wherever a chunk begins, so what a row
// gets does not depend on that.

#include <algorithm>

#include "kernels/cuda/attention_tiles.h"
#include "kernels/cuda/launches.h"

namespace ferry::cuda {

constexpr int kPromptWarps = 4;
constexpr int kPromptThreads = kPromptWarps * kWarp;
constexpr int kPromptTokens = kPromptWarps * kTile;  // a warp copies a tile's 16 rows
template <int kDims>
constexpr int kPromptTiles = kDims <= 128 ? 2 : 1;  // of 16 queries, a warp
template <int kDims>
constexpr int kPromptQueries = kPromptWarps* kPromptTiles<kDims>* kTile;

struct PromptTask {
  Attention p;
  KeyPlaces places;
  RowShares shares;
  int n_blocks = 0;  // of a KV head
};

// Which tokens a warp's queries see.
struct PromptSight {
  int sees_all = 0;   // every query sees the tokens before
  int sees_none = 0;  // no query sees that token, nor later ones
};

template <int kDims>
struct PromptShared {
  alignas(16) std::byte q[kPromptQueries<kDims>][kRowBytes<kDims>];
  alignas(16) std::byte k[kPromptTokens][kRowBytes<kDims>];
  alignas(16) std::byte v[kPromptTokens][kRowBytes<kDims>];
  // What is needed now and then does not take registers.
  int positions[kPromptQueries<kDims>];
  int heads[kPromptQueries<kDims>];  // of all rows: row · n_q_heads + head
  int places[kPromptWarps][kTile];   // of the rows of the tile that is copied
  PromptSight sights[kPromptWarps];
  QueryBlock block;
};

// The queries after those that the block had. False: there are no more.
template <int kDims>
__device__ inline bool take_turn(const Attention& p, PromptShared<kDims>& shared) {
  QueryBlock& block = shared.block;
  __syncthreads();  // all are done with the queries before
  if (threadIdx.x == 0) {
    block.first += kPromptQueries<kDims>;
    block.n_queries = min(kPromptQueries<kDims>, block.n_rows * block.n_heads - block.first);
    if (block.n_queries > 0) block.end_token = p.batch.positions[block.row(block.n_queries - 1)] + 1;
  }
  __syncthreads();
  return block.n_queries > 0;
}

// The block's first queries. False: it has none. The last rows of a prompt see the most: they come first.
template <int kDims>
__device__ inline bool find_prompt(const PromptTask& task, PromptShared<kDims>& shared) {
  const int number = task.n_blocks - 1 - static_cast<int>(blockIdx.y);
  QueryBlock block;
  if (!find_rows(task.p.batch, task.shares, number, block)) return false;
  find_heads(task.p, static_cast<int>(blockIdx.x), block);
  block.first = -kPromptQueries<kDims>;
  if (threadIdx.x == 0) shared.block = block;
  return take_turn(task.p, shared);
}

template <int kDims>
__device__ inline void look_up_queries(const Attention& p, PromptShared<kDims>& shared) {
  static_assert(kPromptQueries<kDims> <= kPromptThreads, "a thread looks one up");
  const QueryBlock& block = shared.block;
  const int query = static_cast<int>(threadIdx.x);
  if (query >= kPromptQueries<kDims>) return;
  const bool is_there = query < block.n_queries;
  shared.heads[query] = is_there ? block.row(query) * p.n_q_heads + block.head(query) : -1;
  shared.positions[query] = is_there ? p.batch.positions[block.row(query)] : -1;
}

// The queries times the scale and log₂ e, rounded; zeros where there is none.
template <KvDtype kType, int kDims>
__device__ inline void stage_prompt(const Attention& p, PromptShared<kDims>& shared) {
  constexpr int kFours = kDims / 4, kTurns = kPromptQueries<kDims> * kFours / kPromptThreads;
  constexpr int kAtOnce = kTurns % 8 == 0 ? 8 : 4;  // loads of a thread on their way
  static_assert(kTurns % kAtOnce == 0 && kTurns * kPromptThreads == kPromptQueries<kDims> * kFours, "nothing is left");
  const int head_dim = p.kv.head_dim;
  const float scale = p.scale * kLog2OfE;
#pragma unroll 1
  for (int first = 0; first < kTurns; first += kAtOnce) {
    float4 q[kAtOnce];
#pragma unroll
    for (int turn = 0; turn < kAtOnce; ++turn) {
      const int item = (first + turn) * kPromptThreads + static_cast<int>(threadIdx.x), i = item % kFours * 4;
      const int of_all = shared.heads[item / kFours];
      q[turn] = make_float4(0, 0, 0, 0);
      if (of_all >= 0 && i < head_dim)
        q[turn] = *reinterpret_cast<const float4*>(p.q + static_cast<int64_t>(of_all) * head_dim + i);
    }
#pragma unroll
    for (int turn = 0; turn < kAtOnce; ++turn) {
      const int item = (first + turn) * kPromptThreads + static_cast<int>(threadIdx.x);
      *reinterpret_cast<uint2*>(shared.q[item / kFours] + item % kFours * 8) = make_uint2(
          pair_of<kType>(q[turn].x * scale, q[turn].y * scale), pair_of<kType>(q[turn].z * scale, q[turn].w * scale));
    }
  }
}

template <int kDims>
__device__ __forceinline__ PromptSight sight_of(const PromptShared<kDims>& shared, int first_query, int n_queries) {
  constexpr int kOfWarp = kPromptTiles<kDims> * kTile;
  if (first_query >= n_queries) return {};
  return {shared.positions[first_query] + 1, shared.positions[min(first_query + kOfWarp, n_queries) - 1] + 1};
}

// The warp's places of queries, keys and values.
struct PromptPlaces {
  SharedPlace q, k, v;
};

// The warp's queries · the keys of a tile.
template <KvDtype kType, int kDims, int kTiles>
__device__ __forceinline__ void score(const PromptPlaces& places, float (&scores)[kTiles][kPromptTokens / 8][4]) {
  constexpr int kTileBytes = kTile * kRowBytes<kDims>;
#pragma unroll
  for (int d = 0; d < kDims / kTile; ++d) {
    uint32_t q[kTiles][4];
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) load_matrices(q[tile], places.q + tile * kTileBytes + d * 32);
#pragma unroll
    for (int n = 0; n < kPromptTokens / kTile; ++n) {
      uint32_t k[4];
      load_matrices(k, places.k + n * kTileBytes + d * 32);
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) {
        multiply<kType>(scores[tile][2 * n], q[tile], make_uint2(k[0], k[1]));
        multiply<kType>(scores[tile][2 * n + 1], q[tile], make_uint2(k[2], k[3]));
      }
    }
  }
}

// sums += the weights of a tile of keys · its values.
template <KvDtype kType, int kDims, int kTiles>
__device__ __forceinline__ void add_values(const PromptPlaces& places,
                                           const float (&weights)[kTiles][kPromptTokens / 8][4],
                                           TileSums<kDims> (&rows)[kTiles]) {
#pragma unroll
  for (int n = 0; n < kPromptTokens / kTile; ++n) {
    uint32_t a[kTiles][4];
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) as_a<kType>(weights[tile][2 * n], weights[tile][2 * n + 1], a[tile]);
#pragma unroll
    for (int d = 0; d < kDims / kTile; ++d) {
      uint32_t v[4];
      load_matrices_turned(v, places.v + n * kTile * kRowBytes<kDims> + d * 32);
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) {
        multiply<kType>(rows[tile].sums[2 * d], a[tile], make_uint2(v[0], v[1]));
        multiply<kType>(rows[tile].sums[2 * d + 1], a[tile], make_uint2(v[2], v[3]));
      }
    }
  }
}

template <int kDims, int kTiles>
__device__ inline void store_means(const Attention& p, const PromptShared<kDims>& shared,
                                   const TileSums<kDims> (&rows)[kTiles]) {
  const unsigned lane = threadIdx.x % kWarp;
  const int first_query = static_cast<int>(threadIdx.x / kWarp) * kTiles * kTile + static_cast<int>(lane / 4);
  const int head_dim = p.kv.head_dim;
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const float total = total_of_four_lanes(rows[tile].total[r]);
      const int of_all = shared.heads[first_query + tile * kTile + r * 8];
      if (of_all < 0) continue;
      const float factor = total > 0 ? 1 / total : 0;  // a row that sees nothing gets zeros
      float* out = p.out + static_cast<int64_t>(of_all) * head_dim + lane % 4 * 2;
#pragma unroll
      for (int n = 0; n < kDims / 8; ++n) {
        const float* sums = rows[tile].sums[n] + 2 * r;
        if (n * 8 < head_dim) *reinterpret_cast<float2*>(out + n * 8) = make_float2(sums[0] * factor, sums[1] * factor);
      }
    }
  }
}

// All tiles of keys and values, for the queries that are staged.
template <KvDtype kType, int kDims>
__device__ __forceinline__ void take_tiles(const PromptTask& task, const KeyRows& keys, PromptShared<kDims>& shared,
                                           TileSums<kDims> (&rows)[kPromptTiles<kDims>]) {
  constexpr int kTiles = kPromptTiles<kDims>;
  const KvLayer& kv = task.p.kv;
  const int warp = static_cast<int>(threadIdx.x / kWarp), lane = static_cast<int>(threadIdx.x % kWarp);
  const int first_query = warp * kTiles * kTile, lane_row = warp * kTile + lane % kTile;
  const PromptPlaces places = {place_of_a<kDims>(&shared.q[first_query]), place_of_b<kDims>(shared.k),
                               place_of_a<kDims>(shared.v)};
  if (lane == 0) shared.sights[warp] = sight_of(shared, first_query, shared.block.n_queries);
  const PromptSight& sight = shared.sights[warp];
  const auto copy_keys = [&](int page, int token) {
    if (lane < kTile) shared.places[warp][lane] = keys.place_of(page, token);
    __syncwarp();
    copy_rows<kDims>(&shared.k[warp * kTile], kv, task.places, shared.places[warp], 0);
  };
  copy_keys(keys.page_of(lane_row), lane_row);
  end_copy_group();
  int next_page = keys.page_of(lane_row + kPromptTokens);
  for (int token = 0; token < keys.end; token += kPromptTokens) {
    wait_for_copies<0>();
    __syncthreads();  // the keys are there, and all are done with the values before
    copy_rows<kDims>(&shared.v[warp * kTile], kv, task.places, shared.places[warp], task.places.values);
    end_copy_group();
    float scores[kTiles][kPromptTokens / 8][4] = {};
    const bool sees = token < sight.sees_none;
    if (sees) score<kType, kDims>(places, scores);
    wait_for_copies<0>();
    __syncthreads();  // the values are there, and all are done with the keys
    if (token + kPromptTokens < keys.end) copy_keys(next_page, token + kPromptTokens + lane_row);
    end_copy_group();
    next_page = keys.page_of(token + 2 * kPromptTokens + lane_row);  // on its way while this tile is multiplied
    if (!sees) continue;
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
      const int* positions = &shared.positions[first_query + tile * kTile + lane / 4];
      if (token + kPromptTokens > sight.sees_all) mask(scores[tile], token, positions[0], positions[8]);
    }
    move_bases(scores, rows);
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) weigh(scores[tile], rows[tile]);
    add_values<kType>(places, scores, rows);
  }
}

// Blocks on a multiprocessor that registers must leave room for.
template <int kDims>
constexpr int kPromptBlocks = 2;

template <KvDtype kType, int kDims>
__global__ void __launch_bounds__(kPromptThreads, kPromptBlocks<kDims>) attend_prompts(const PromptTask task) {
  auto& shared = shared_memory<PromptShared<kDims>>();
  const Attention& p = task.p;
  if (!find_prompt(task, shared)) return;
  do {
    look_up_queries(p, shared);
    __syncthreads();
    stage_prompt<kType>(p, shared);
    __syncthreads();
    const KeyRows keys = {p.kv, task.places, p.batch.pages + p.batch.page_begin[shared.block.sequence],
                          shared.block.kv_head, shared.block.end_token};
    TileSums<kDims> rows[kPromptTiles<kDims>];
    take_tiles<kType>(task, keys, shared, rows);
    store_means(p, shared, rows);
  } while (take_turn(p, shared));
}

template <KvDtype kType, int kDims>
void launch_prompt_of(PromptTask task, Stream stream) {
  const Attention& p = task.p;
  task.places.rows_follow = rows_follow(p.kv, kDims);
  task.shares.rows_at_once = std::max(1, kPromptQueries<kDims> * p.kv.n_heads / p.n_q_heads);
  task.n_blocks = task.shares.n_blocks(p.batch);
  launch(attend_prompts<kType, kDims>,
         {{p.kv.n_heads, task.n_blocks}, kPromptThreads, sizeof(PromptShared<kDims>), stream}, task);
}

// Heads of up to 64, 80, 96, 128 and 256 dims.
void launch_prompt_64(const PromptTask& task, Stream stream);
void launch_prompt_80(const PromptTask& task, Stream stream);
void launch_prompt_96(const PromptTask& task, Stream stream);
void launch_prompt_128(const PromptTask& task, Stream stream);
void launch_prompt_256(const PromptTask& task, Stream stream);

}  // namespace ferry::cuda
