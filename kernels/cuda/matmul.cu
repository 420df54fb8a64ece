#include "kernels/cuda/matmul.h"

#include <algorithm>

#include "core/base/check.h"
#include "kernels/cuda/dequantize.h"
#include "kernels/cuda/matmul_kernel.h"

namespace ferry::cuda {
namespace {

constexpr int kMostDecodeRows = 64;  // of a launch
constexpr int kMostTiles = 16;       // of a block
constexpr int kCounters = 1024;

const WeightView& view_of(const Matmul& product) { return static_cast<const PlanarWeight*>(product.w)->view(); }

// So many rows our own kernels multiply at least as fast as a library that has to wait for dequantized weights: they
// read the weights once for 64 rows.
int most_own_rows(const WeightView& w) { return w.type == TensorType::bf16 ? kMostDecodeRows : 3 * kMostDecodeRows; }

// How many of a weight's rows are dequantized at once: what a card's cache holds until they are multiplied, but
// enough for a library's tiles to keep a card busy; `n_fit` at most.
int rows_at_once(const WeightView& w, int n_rows_of_x, size_t n_fit) {
  constexpr size_t kCacheBytes = size_t{24} << 20;
  constexpr int kTile = 128, kTilesOfACard = 128;
  const size_t of_cache = kCacheBytes / sizeof(uint16_t) / static_cast<size_t>(w.n_groups * kGroupColumns);
  const int busy = parts_of(kTilesOfACard, parts_of(n_rows_of_x, kTile)) * kTile;
  const size_t wanted = std::min(std::max(of_cache, static_cast<size_t>(busy)), n_fit);
  const int n_parts = parts_of(w.n_rows, static_cast<int>(std::min(wanted, static_cast<size_t>(w.n_rows))));
  const int even = parts_of(parts_of(w.n_rows, n_parts), kTile) * kTile;
  return n_fit >= static_cast<size_t>(even) ? even : static_cast<int>(n_fit) / kTileRows * kTileRows;
}

// Columns are summed in ranges: enough of them that blocks of 16 tiles keep a card busy.
int column_ranges(const WeightView& w) {
  constexpr int kBlocksForACard = 120, kStepsOfARange = 2, kMost = 8;
  const int n_blocks = std::max(1, parts_of(w.n_tiles, kMostTiles));
  return std::clamp(parts_of(kBlocksForACard, n_blocks), 1, std::clamp(w.n_steps / kStepsOfARange, 1, kMost));
}

// Whole groups of 256 columns: then weights of all formats read x alike.
int padded_columns(const WeightView& w) {
  constexpr int kWhole = 256;
  return parts_of(w.n_groups * kGroupColumns, kWhole) * kWhole;
}

size_t product_of(int a, int b) { return static_cast<size_t>(a) * static_cast<size_t>(b); }

// Elements of `array`, at least; what it held is gone if it grows.
template <class T>
void grow(DeviceArray<T>& array, Device& device, size_t n) {
  if (n > array.size()) array = DeviceArray<T>(device, n);
}

constexpr int kThreads = 256;

struct AddBias {
  const float* bias = nullptr;  // [n_out]
  float* y = nullptr;           // [n_rows, n_out]
  int n_out = 0;
};

__global__ void __launch_bounds__(kThreads) add_bias(const AddBias p) {
  const int out = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  if (out < p.n_out) p.y[static_cast<int64_t>(blockIdx.y) * p.n_out + out] += p.bias[out];
}

// Calls f for each run of neighbours that are alike.
template <class Alike, class F>
void for_each_run(std::span<const Matmul> products, const Alike& are_alike, const F& f) {
  for (size_t begin = 0; begin < products.size();) {
    size_t end = begin + 1;
    while (end < products.size() && are_alike(products[begin], products[end])) ++end;
    f(products.subspan(begin, end - begin));
    begin = end;
  }
}

bool read_one_x(const Matmul& a, const Matmul& b) {
  return view_of(a).first_col == view_of(b).first_col && padded_columns(view_of(a)) == padded_columns(view_of(b));
}

bool are_of_one_kind(const Matmul& a, const Matmul& b) {
  return view_of(a).type == view_of(b).type && view_of(a).n_steps == view_of(b).n_steps;
}

}  // namespace

Multiplier::Multiplier(const CudaSettings& settings, Device& device, Stream stream)
    : device_(device),
      stream_(stream),
      n_terms_(settings.products == Products::f32 ? kTerms : 1),
      half_bytes_(settings.product_scratch_bytes / 2),
      shared_bytes_(most_shared_bytes()),
      dense_(device, stream),
      n_arrived_(device, std::vector<uint32_t>(kCounters)) {}

void Multiplier::announce(const WeightView& w) {
  const int n_columns = padded_columns(w);
  const size_t n_terms =
      std::max(half_bytes_ / sizeof(uint16_t), product_of(n_columns, kMostDecodeRows) * static_cast<size_t>(n_terms_));
  grow(terms_, device_, n_terms);
  grow(sums_, device_, n_terms / kGroupColumns);
  if (n_terms_ == 1 && dense_.are_there() && w.type != TensorType::bf16)
    grow(dequantized_, device_, std::max(half_bytes_ / sizeof(uint16_t), product_of(n_columns, kTileRows)));
  const int n_ranges = column_ranges(w);
  if (n_ranges == 1) return;
  const size_t n_partial = product_of(parts_of(w.n_tiles, kMostTiles) * kMostTiles * kTileRows, kMostDecodeRows) *
                           static_cast<size_t>(n_ranges);
  grow(partial_, device_, 2 * n_partial);  // several at once
}

void Multiplier::multiply(std::span<const Matmul> products) {
  if (products.empty() || products[0].n_rows == 0) return;
  for_each_run(products, read_one_x, [&](std::span<const Matmul> of_one_x) {
    const int n_fit = rows_that_fit(view_of(of_one_x[0])), n_rows = products[0].n_rows;
    const int n_at_once = n_fit >= n_rows ? n_rows : n_fit / kMostDecodeRows * kMostDecodeRows;
    for (int row = 0; row < n_rows; row += n_at_once) multiply_rows(of_one_x, {row, std::min(n_rows, row + n_at_once)});
  });
}

std::optional<Multiplier::XForms> Multiplier::room_for_terms(std::span<const Matmul> products) const {
  const Matmul& first = products[0];
  const bool is_one_x = std::ranges::all_of(products, [&](const Matmul& p) { return read_one_x(first, p); });
  if (!is_one_x || !takes_terms(first) || rows_that_fit(view_of(first)) < first.n_rows) return std::nullopt;
  return forms_of(first, {0, first.n_rows});
}

void Multiplier::multiply_terms(std::span<const Matmul> products, const XForms& x) {
  multiply_split(products, {0, products[0].n_rows}, x);
}

void Multiplier::multiply_rows(std::span<const Matmul> products, const Rows& rows) {
  const XForms x = forms_of(products[0], rows);
  if (takes_terms(products[0])) launch_split_x({x.rows, x.terms}, stream_);
  multiply_split(products, rows, x);
}

void Multiplier::multiply_split(std::span<const Matmul> products, const Rows& rows, const XForms& x) {
  for_each_run(products, are_of_one_kind, [&](std::span<const Matmul> alike) {
    if (alike[0].n_rows > most_own_rows(view_of(alike[0])) && n_terms_ == 1) {
      for (const Matmul& product : alike) {
        if (!multiply_dense(product, rows, x)) multiply_alike({&product, 1}, rows, x);
      }
      return;
    }
    for (; alike.size() > kMostParts; alike = alike.subspan(kMostParts))
      multiply_alike(alike.first(kMostParts), rows, x);
    multiply_alike(alike, rows, x);
  });
}

Multiplier::XForms Multiplier::forms_of(const Matmul& product, const Rows& rows) const {
  const WeightView& w = view_of(product);
  const int n_rows = rows.end - rows.begin;
  return {.rows = {.x = product.x + static_cast<int64_t>(rows.begin) * w.n_cols,
                   .n_rows = n_rows,
                   .n_in = w.n_cols,
                   .first_col = w.first_col},
          .terms = {.terms = terms_.data(),
                    .sums = sums_.data(),
                    .n_terms = n_terms_,
                    .n_rows = parts_of(n_rows, kColumnsOfTile) * kColumnsOfTile,
                    .n_columns = padded_columns(w)}};
}

int Multiplier::rows_that_fit(const WeightView& w) const {
  return static_cast<int>(terms_.size() / static_cast<size_t>(n_terms_ * padded_columns(w)));
}

// Few rounded rows are split by the blocks that multiply them.
bool Multiplier::takes_terms(const Matmul& product) const { return n_terms_ > 1 || product.n_rows > kColumnsOfTile; }

void Multiplier::multiply_alike(std::span<const Matmul> products, const Rows& rows, const XForms& x) {
  const MatmulRoom room = {.partial = reinterpret_cast<float4*>(partial_.data()),
                           .n_partial = partial_.size() / 4,
                           .n_arrived = n_arrived_.data(),
                           .n_counters = kCounters,
                           .shared_bytes = shared_bytes_};
  for (int row = rows.begin; row < rows.end;) {
    MatmulTask task = {.n_rows = rows.end - row,
                       .x_row = row - rows.begin,
                       .n_steps = view_of(products[0]).n_steps,
                       .x = x.terms,
                       .x_rows = x.rows};
    for (const Matmul& product : products) {
      const WeightView& w = view_of(product);
      task.parts[task.n_parts++] = {.steps = w.steps,
                                    .block_scales = w.block_scales,
                                    .bias = product.bias,
                                    .y = product.y + static_cast<int64_t>(row) * w.n_rows,
                                    .n_out = w.n_rows,
                                    .n_tiles = w.n_tiles,
                                    .n_ranges = column_ranges(w)};
    }
    with_type(view_of(products[0]).type, [&](auto type) { row += launch_matmul_of<type>(task, room, stream_); });
  }
}

bool Multiplier::multiply_dense(const Matmul& product, const Rows& rows, const XForms& x) {
  const WeightView& w = view_of(product);
  const int n_columns = w.n_groups * kGroupColumns;
  const bool is_ready = w.type == TensorType::bf16;
  const size_t n_fit = dequantized_.size() / static_cast<size_t>(n_columns);
  if (!is_ready && n_fit < kTileRows) return false;
  const int n_at_once = is_ready ? w.n_rows : rows_at_once(w, rows.end - rows.begin, n_fit);

  float* y = product.y + static_cast<int64_t>(rows.begin) * w.n_rows;
  for (int out = 0; out < w.n_rows; out += n_at_once) {
    const int n_out = std::min(n_at_once, w.n_rows - out);
    const auto* plain = reinterpret_cast<const uint16_t*>(w.steps) + static_cast<int64_t>(out) * n_columns;
    if (!is_ready) launch_dequantize({.w = w, .first_row = out, .n_rows = n_out, .to = dequantized_.data()}, stream_);
    if (!dense_.multiply({.w = is_ready ? plain : dequantized_.data(),
                          .x = x.terms.terms,
                          .y = y + out,
                          .n_out = n_out,
                          .n_rows = rows.end - rows.begin,
                          .n_columns = n_columns,
                          .x_stride = x.terms.n_columns,
                          .y_stride = w.n_rows})) {
      return false;
    }
  }
  if (product.bias != nullptr) {
    constexpr int kMostOfAGrid = 1 << 15;
    for (int row = 0; row < rows.end - rows.begin; row += kMostOfAGrid) {
      const int n_rows = std::min(kMostOfAGrid, rows.end - rows.begin - row);
      launch(add_bias, {{parts_of(w.n_rows, kThreads), n_rows}, kThreads, 0, stream_},
             AddBias{product.bias, y + static_cast<int64_t>(row) * w.n_rows, w.n_rows});
    }
  }
  return true;
}

}  // namespace ferry::cuda
