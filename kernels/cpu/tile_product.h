#pragma once
// The inner loop of everything: rows of x times a tile of as many columns as one or two vectors have lanes. Each y is
// one chain of multiply-adds in the order of k, so a product may be cut anywhere along k and over any number of rows
// without changing a bit of it.

#include <cstddef>
#include <cstdint>

namespace ferry {
namespace {

struct TileProduct {
  const float* x = nullptr;  // [n_rows, n], rows x_stride floats apart
  int64_t x_stride = 0;
  const float* tile = nullptr;  // [n, columns], rows tile_stride floats apart
  int64_t tile_stride = 0;
  float* y = nullptr;  // [n_rows, columns], rows y_stride floats apart; y += x · tile
  int64_t y_stride = 0;
  int n = 0;
};

// Rows at a time, so that sums, a row of the tile and one x fill the registers.
template <class L>
constexpr int kTileRows = L::kRegisters == 32 ? 12 : 6;

template <class L, int kRows, int kVectors>
void multiply_rows(const TileProduct& p) {
  typename L::Floats sums[kRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) sums[r][v] = L::load(p.y + r * p.y_stride + v * L::kCount);
  }
  const float* tile = p.tile;
  const float* x = p.x;
  for (int k = 0; k < p.n; ++k, tile += p.tile_stride, ++x) {
    typename L::Floats weights[kVectors];
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) weights[v] = L::load(tile + v * L::kCount);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const typename L::Floats one = L::broadcast(x + r * p.x_stride);
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) sums[r][v] = L::fma(one, weights[v], sums[r][v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) L::store(p.y + r * p.y_stride + v * L::kCount, sums[r][v]);
  }
}

template <class L, int kVectors, int kRows = kTileRows<L>>
void multiply_some_rows(const TileProduct& p, int n_rows) {
  if constexpr (kRows > 0) {
    if (n_rows == kRows) return multiply_rows<L, kRows, kVectors>(p);
    multiply_some_rows<L, kVectors, kRows - 1>(p, n_rows);
  }
}

// Rows are cut evenly: seven as four and three, since one or two are too few chains to keep the multipliers busy.
template <class L, int kVectors>
void multiply(TileProduct p, int n_rows) {
  for (int n_cuts = (n_rows + kTileRows<L> - 1) / kTileRows<L>; n_cuts > 0; --n_cuts) {
    const int n = (n_rows + n_cuts - 1) / n_cuts;
    multiply_some_rows<L, kVectors>(p, n);
    p.x += n * p.x_stride;
    p.y += n * p.y_stride;
    n_rows -= n;
  }
}

// Any number of columns that fills whole vectors, two at a time.
template <class L>
void multiply_columns(TileProduct p, int n_rows, int n_columns) {
  for (; n_columns >= 2 * L::kCount; n_columns -= 2 * L::kCount) {
    multiply<L, 2>(p, n_rows);
    p.tile += 2 * L::kCount;
    p.y += 2 * L::kCount;
  }
  if (n_columns > 0) multiply<L, 1>(p, n_rows);
}

}  // namespace
}  // namespace ferry
