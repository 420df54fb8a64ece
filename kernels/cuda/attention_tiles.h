#pragma once
// What attention on tensor cores is made of: keys and values that are copied from their pages while others are
// multiplied, and a softmax that goes along with tiles of keys. Queries, keys, values and weights are of the cache's
// 16-bit type, all sums f32.

#include <bit>

#include "kernels/cuda/attention_queries.h"

namespace ferry::cuda {

constexpr int kTile = 16;  // rows of a, and products, of an mma

// Of a row of kDims values in shared memory. 16 more than they take: the 8 rows of a matrix lie in different banks.
template <int kDims>
constexpr int kRowBytes = kDims * 2 + 16;

template <KvDtype kType>
__device__ __forceinline__ void multiply(float (&c)[4], const uint32_t (&a)[4], uint2 b) {
  if constexpr (kType == KvDtype::f16) {
    mma_f16(c, a, b);
  } else {
    mma_bf16(c, a, b);
  }
}

template <KvDtype kType>
__device__ __forceinline__ uint32_t pair_of(float low, float high) {
  return kType == KvDtype::f16 ? f16_pair(low, high) : bf16_pair(low, high);
}

// The lane's part of 16 rows of shared memory, for load_matrices: of a, and of b turned over (queries, values) …
template <int kDims>
__device__ __forceinline__ SharedPlace place_of_a(std::byte (*rows)[kRowBytes<kDims>]) {
  const int lane = static_cast<int>(threadIdx.x % kWarp);
  return shared_place(rows[lane % 16] + lane / 16 * 16);
}
// … and of b as it lies (keys).
template <int kDims>
__device__ __forceinline__ SharedPlace place_of_b(std::byte (*rows)[kRowBytes<kDims>]) {
  const int lane = static_cast<int>(threadIdx.x % kWarp);
  return shared_place(rows[lane / 16 * 8 + lane % 8] + lane / 8 % 2 * 16);
}

// Where keys lie, counted from KvLayer::base on in what divides all distances, a token's bytes as a rule: 32 bits say
// that for any card.
struct KeyPlaces {
  Divisor page_tokens;
  uint32_t unit_bytes = 0;
  int page = 0;    // from a page to the next
  int head = 0;    // from a head to the next
  int token = 0;   // from a token to the next
  int values = 0;  // from keys to values
  // Heads are as wide as kernels have them, pages hold whole tiles of 16 tokens.
  bool rows_follow = false;
};

inline bool rows_follow(const KvLayer& kv, int n_dims) {
  return kv.head_dim == n_dims && kv.token_bytes == static_cast<size_t>(n_dims) * 2 && kv.page_tokens % kTile == 0;
}

// The keys of a sequence and KV head, whose numbers stay where they are: registers are few.
struct KeyRows {
  const KvLayer& kv;
  const KeyPlaces& places;
  const int* pages;  // of the sequence
  const int& head;
  const int& end;  // tokens from here on are not there

  __device__ int page_of(int token) const { return token < end ? pages[places.page_tokens.quotient(token)] : -1; }
  // -1: it is not there.
  __device__ int place_of(int page, int token) const {
    const int in_page = token - places.page_tokens.quotient(token) * kv.page_tokens;
    return page < 0 ? -1 : page * places.page + head * places.head + in_page * places.token;
  }
};

// Begins to copy 16 rows, `further` than the places of keys that are in shared memory. Zeros where there is none, and
// beyond head_dim: a weight of zero times a value that is not a number would not be.
template <int kDims>
__device__ __forceinline__ void copy_rows(std::byte (*to)[kRowBytes<kDims>], const KvLayer& kv,
                                          const KeyPlaces& distances, const int (&places)[kTile], int further) {
  constexpr int kChunks = kDims / 8, kRowLanes = std::bit_ceil(static_cast<unsigned>(kChunks));  // of 16 bytes
  constexpr int kRowsAtOnce = kWarp / kRowLanes;
  const int lane = static_cast<int>(threadIdx.x % kWarp), first_row = lane / kRowLanes, chunk = lane % kRowLanes;
  const std::byte* from = kv.base + chunk * 16;
  const SharedPlace first = shared_place(to[first_row] + chunk * 16);
  if (distances.rows_follow && places[kTile - 1] >= 0) {  // a page has all of them, one after the other
    from += uint64_t{static_cast<uint32_t>(places[0] + further)} * distances.unit_bytes + first_row * kDims * 2;
#pragma unroll
    for (int row = 0; row < kTile; row += kRowsAtOnce)
      if (chunk < kChunks) copy_async(first + row * kRowBytes<kDims>, from + row * kDims * 2, true);
    return;
  }
  const bool in_head = chunk * 8 < kv.head_dim;
#pragma unroll
  for (int row = 0; row < kTile; row += kRowsAtOnce) {
    const int place = places[first_row + row];
    const uint64_t bytes = uint64_t{static_cast<uint32_t>(max(place, 0) + further)} * distances.unit_bytes;
    if (chunk < kChunks) copy_async(first + row * kRowBytes<kDims>, from + bytes, place >= 0 && in_head);
  }
}

// The weighted sums of values so far, of the 16 queries of a tile. A lane has of rows g and g + 8 what mma gives it.
template <int kDims>
struct TileSums {
  float largest[2] = {kMasked, kMasked};  // that weights are relative to
  float sums[kDims / 8][4] = {};
  // Of weights, as they were rounded: a sum like the others, of values that are one. Two and two are alike.
  float totals[4] = {};
};

// Weights are relative to the largest score so far, or to one that is smaller by less than this: it hardly ever moves
// then, and sums are scaled as rarely. Which one a row takes depends on its own scores alone.
constexpr float kSlack = 8;  // of base 2: weights are below 256

// Looks at new scores, which are of base 2, before they are weighed: kN tiles of 8 keys, with kTiles of 16 queries.
template <int kTiles, int kN, int kDims>
__device__ __forceinline__ void move_bases(const float (&scores)[kTiles][kN][4], TileSums<kDims> (&rows)[kTiles]) {
  float largest[kTiles][2];
  bool moves = false;
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      float& of_row = largest[tile][r];
      of_row = kMasked;
#pragma unroll
      for (int n = 0; n < kN; ++n) of_row = fmaxf(of_row, fmaxf(scores[tile][n][2 * r], scores[tile][n][2 * r + 1]));
      of_row = fmaxf(of_row, __shfl_xor_sync(kAllLanes, of_row, 1));
      of_row = fmaxf(of_row, __shfl_xor_sync(kAllLanes, of_row, 2));
      moves |= of_row > rows[tile].largest[r] + kSlack;
    }
  }
  if (!__any_sync(kAllLanes, moves)) return;
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      float& base = rows[tile].largest[r];
      if (!(largest[tile][r] > base + kSlack)) continue;
      const float factor = quick_exp2(base - largest[tile][r]);
      base = largest[tile][r];
      rows[tile].totals[2 * r] *= factor;
      rows[tile].totals[2 * r + 1] *= factor;
#pragma unroll
      for (int n = 0; n < kDims / 8; ++n) {
        rows[tile].sums[n][2 * r] *= factor;
        rows[tile].sums[n][2 * r + 1] *= factor;
      }
    }
  }
}

// Scores → weights.
template <int kN, int kDims>
__device__ __forceinline__ void weigh(float (&scores)[kN][4], const TileSums<kDims>& rows) {
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const float base = rows.largest[r] == kMasked ? 0 : rows.largest[r];
#pragma unroll
    for (int n = 0; n < kN; ++n) {
#pragma unroll
      for (int i = 2 * r; i < 2 * r + 2; ++i) {
        scores[n][i] = quick_exp2(scores[n][i] - base);
      }
    }
  }
}

// The weights of 16 keys, two tiles of 8, as an mma's a.
template <KvDtype kType>
__device__ __forceinline__ void as_a(const float (&low)[4], const float (&high)[4], uint32_t (&a)[4]) {
  a[0] = pair_of<kType>(low[0], low[1]);
  a[1] = pair_of<kType>(low[2], low[3]);
  a[2] = pair_of<kType>(high[0], high[1]);
  a[3] = pair_of<kType>(high[2], high[3]);
}

// What is beyond a row's position is not seen. `first_key`: of the tile; positions of rows g and g + 8.
template <int kN>
__device__ __forceinline__ void mask(float (&scores)[kN][4], int first_key, int position, int later_position) {
  const int column = first_key + static_cast<int>(threadIdx.x % 4) * 2;
#pragma unroll
  for (int n = 0; n < kN; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (column + n * 8 + i % 2 > (i < 2 ? position : later_position)) scores[n][i] = kMasked;
    }
  }
}

// totals += the weights of 16 keys.
template <KvDtype kType, int kDims>
__device__ __forceinline__ void add_weights(const uint32_t (&a)[4], TileSums<kDims>& rows) {
  constexpr uint32_t kOnes = kType == KvDtype::f16 ? 0x3c003c00 : 0x3f803f80;
  multiply<kType>(rows.totals, a, make_uint2(kOnes, kOnes));
}

}  // namespace ferry::cuda
