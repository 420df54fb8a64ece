#pragma once
// y = x · wᵀ with packed weights. A few rows: weights go from the packed form straight into the sums, so that they are
// read once and written nowhere. Many rows: a tile of weights is unpacked into the first-level cache and multiplied
// with all rows, so that unpacking costs next to nothing. Both make the same chain of multiply-adds for each y.

#include "kernels/cpu/packed_columns.h"
#include "kernels/cpu/tile_product.h"

namespace ferry {
namespace {

constexpr int kTileColumns = 320;  // with a tile of two vectors this leaves room for x in 32 KiB

constexpr int smaller(int a, int b) { return a < b ? a : b; }
constexpr int larger(int a, int b) { return a < b ? b : a; }

template <class L, int kFormat>
struct MatmulKernels {
  using Floats = typename L::Floats;
  using Columns = PackedColumns<L, kFormat>;
  static constexpr int kLanes = L::kCount;
  static constexpr int kColumns = Columns::kColumns;
  static constexpr int kFewRows = L::kFewRows;

  static void matmul(const PackedView& w, const Matmul& p, PanelRange panels) {
    if (p.n_rows <= kFewRows) {
      with_row_count<kFewRows>(w, p, panels);
    } else {
      for (int panel = panels.begin; panel < panels.end; panel += 2) multiply_tiles(w, p, panel, panels.end);
    }
  }

  static void embed(const EmbedTask& task) {
    const Embed& p = *task.p;
    const int width = task.table.col_end - task.table.col_begin;
    for (int r = task.row_begin; r < task.row_end; ++r) {
      float* out = p.out + static_cast<int64_t>(r) * width;
      const int row = p.tokens[r] - p.first_token;
      if (row >= 0 && row < task.table.n_rows) {
        copy_row(task.table, row, p.scale, out);
      } else {
        for (int i = 0; i < width; ++i) out[i] = 0;
      }
    }
  }

 private:
  // ---- few rows ----------------------------------------------------------------------------------------------------

  // Panels at a time, so that each has its sums, step and offset in registers and there are chains enough to hide the
  // latency of a multiply-add.
  static constexpr int panels_at_once(int n_rows) { return larger(1, smaller(4, (L::kRegisters - 3) / (n_rows + 2))); }

  template <int kRows>
  static void with_row_count(const PackedView& w, const Matmul& p, PanelRange panels) {
    if constexpr (kRows > 0) {
      if (p.n_rows != kRows) return with_row_count<kRows - 1>(w, p, panels);
      constexpr int kPanels = panels_at_once(kRows);
      for (int panel = panels.begin; panel < panels.end; panel += kPanels) {
        multiply_panels<kRows, kPanels>(w, p, panel, panels.end);
      }
    }
  }

  // Panels [first, first + kPanels); those from `end` on are computed as the last one and thrown away.
  template <int kRows, int kPanels>
  static void multiply_panels(const PackedView& w, const Matmul& p, int first, int end) {
    int panels[kPanels];
    alignas(64) float sums[kRows][kPanels * kLanes];
    for (int i = 0; i < kPanels; ++i) {
      panels[i] = smaller(first + i, end - 1);
      for (int r = 0; r < kRows; ++r) L::store(&sums[r][i * kLanes], first_sums(w, p, panels[i]));
    }
    const int whole_begin = (w.col_begin + kColumns - 1) / kColumns, whole_end = w.col_end / kColumns;
    if (whole_begin <= whole_end) {
      add_part<kRows, kPanels>(w, p, panels, {w.col_begin, whole_begin * kColumns}, sums);
      add_whole<kRows, kPanels>(w, p, panels, {whole_begin, whole_end}, sums);
      add_part<kRows, kPanels>(w, p, panels, {whole_end * kColumns, w.col_end}, sums);
    } else {  // begins and ends inside one sub-block
      add_part<kRows, kPanels>(w, p, panels, {w.col_begin, w.col_end}, sums);
    }
    for (int i = 0; i < smaller(kPanels, end - first); ++i) {
      const int row = panels[i] * kLanes;
      for (int r = 0; r < kRows; ++r) {
        L::store_first(p.y + static_cast<int64_t>(r) * w.n_rows + row, L::load(&sums[r][i * kLanes]),
                       smaller(kLanes, w.n_rows - row));
      }
    }
  }

  [[gnu::always_inline]] static Floats first_sums(const PackedView& w, const Matmul& p, int panel) {
    const int row = panel * kLanes;
    return p.bias ? L::load_first(p.bias + row, smaller(kLanes, w.n_rows - row)) : L::zero();
  }

  // Sub-blocks [blocks.begin, blocks.end).
  template <int kRows, int kPanels>
  [[gnu::noinline]] static void add_whole(const PackedView& w, const Matmul& p, const int (&panels)[kPanels],
                                          PanelRange blocks, float (&memory)[kRows][kPanels * kLanes]) {
    Floats sums[kRows][kPanels];
    for_each<kRows, kPanels>([&](int r, int i) { sums[r][i] = L::load(&memory[r][i * kLanes]); });
    const int64_t n_in = w.col_end - w.col_begin;
    const float* x = p.x + blocks.begin * kColumns - w.col_begin;
    for (int b = blocks.begin; b < blocks.end; ++b, x += kColumns) {
      typename Columns::SubBlock at[kPanels];
#pragma GCC unroll 4
      for (int i = 0; i < kPanels; ++i) {
        at[i] = Columns::sub_block(w, panels[i], b);
        prefetch(at[i].scales + kPanels * w.panel_bytes);
      }
      Columns::for_each_column(
          at, [&](int column, const Floats(&weights)[kPanels]) __attribute__((always_inline)) {
#pragma GCC unroll 8
            for (int r = 0; r < kRows; ++r) {
              const Floats one = L::broadcast(x + r * n_in + column);
#pragma GCC unroll 4
              for (int i = 0; i < kPanels; ++i) sums[r][i] = L::fma(one, weights[i], sums[r][i]);
            }
          });
    }
    for_each<kRows, kPanels>([&](int r, int i) { L::store(&memory[r][i * kLanes], sums[r][i]); });
  }

  template <int kRows, int kPanels, class F>
  [[gnu::always_inline]] static void for_each(const F& f) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int i = 0; i < kPanels; ++i) f(r, i);
    }
  }

  // These columns, of one sub-block.
  template <int kRows, int kPanels>
  [[gnu::noinline]] static void add_part(const PackedView& w, const Matmul& p, const int (&panels)[kPanels],
                                         PanelRange columns, float (&sums)[kRows][kPanels * kLanes]) {
    const auto [begin, end] = columns;
    if (begin >= end) return;
    alignas(64) float tile[kColumns * kLanes];
    const int block = begin / kColumns;
    for (int i = 0; i < kPanels; ++i) {
      unpack(w, panels[i], block, {tile, kLanes});
      multiply<L, 1>({.x = p.x + begin - w.col_begin,
                      .x_stride = w.col_end - w.col_begin,
                      .tile = tile + (begin - block * kColumns) * kLanes,
                      .tile_stride = kLanes,
                      .y = &sums[0][i * kLanes],
                      .y_stride = kPanels * kLanes,
                      .n = end - begin},
                     kRows);
    }
  }

  // The same place some panels on: a panel is a stream of its own, and too short for the hardware to follow. Past the
  // end it is a hint that nobody takes.
  [[gnu::always_inline]] static void prefetch(const std::byte* sub_block) {
    constexpr int kCacheLine = 64;
    constexpr int kSecondLevel = 2;
    for (int at = 0; at < static_cast<int>(Columns::kSubBlockBytes); at += kCacheLine) {
      __builtin_prefetch(sub_block + at, 0, kSecondLevel);
    }
  }

  // ---- many rows ---------------------------------------------------------------------------------------------------

  struct Tile {
    float* at = nullptr;
    int stride = 0;
  };

  [[gnu::noinline]] static void unpack(const PackedView& w, int panel, int block, Tile tile) {
    const typename Columns::SubBlock at[1] = {Columns::sub_block(w, panel, block)};
    prefetch(at[0].scales + 2 * w.panel_bytes);
    Columns::for_each_column(
        at, [&](int column, const Floats(&weights)[1])
                __attribute__((always_inline)) { L::store(tile.at + column * tile.stride, weights[0]); });
  }

  // All rows of x times panels `panel` and, before `end`, the next.
  static void multiply_tiles(const PackedView& w, const Matmul& p, int panel, int end) {
    const int n_panels = smaller(2, end - panel);
    const int n_outputs = smaller(n_panels * kLanes, w.n_rows - panel * kLanes);
    start_sums(w, p, panel * kLanes, n_outputs);
    alignas(64) float tile[kTileColumns * 2 * kLanes];
    const int n_chunks = (w.col_end - w.col_begin + kTileColumns - kColumns - 1) / (kTileColumns - kColumns);
    const int chunk = ((w.col_end - w.col_begin) / n_chunks / kColumns + 1) * kColumns;
    for (int begin = w.col_begin / kColumns * kColumns; begin < w.col_end; begin += chunk) {
      const int end_column = smaller(begin + chunk, w.col_end);
      for (int block = begin / kColumns; block * kColumns < end_column; ++block) {
        float* at = tile + (block * kColumns - begin) * n_panels * kLanes;
        for (int i = 0; i < n_panels; ++i) unpack(w, panel + i, block, {at + i * kLanes, n_panels * kLanes});
      }
      const int first = larger(begin, w.col_begin);
      add_tile(w, p,
               {.x = p.x + first - w.col_begin,
                .x_stride = w.col_end - w.col_begin,
                .tile = tile + (first - begin) * n_panels * kLanes,
                .tile_stride = n_panels * kLanes,
                .y = p.y + panel * kLanes,
                .y_stride = w.n_rows,
                .n = end_column - first},
               n_outputs);
    }
  }

  static void start_sums(const PackedView& w, const Matmul& p, int first, int n_outputs) {
    for (int r = 0; r < p.n_rows; ++r) {
      float* y = p.y + static_cast<int64_t>(r) * w.n_rows + first;
      for (int i = 0; i < n_outputs; ++i) y[i] = p.bias ? p.bias[first + i] : 0;
    }
  }

  static void add_tile(const PackedView&, const Matmul& p, TileProduct product, int n_outputs) {
    if (n_outputs == product.tile_stride) return multiply_columns<L>(product, p.n_rows, n_outputs);
    // The last panel has lanes without a row: its sums take a detour, a few rows at a time.
    alignas(64) float sums[kTileRows<L> * 2 * kLanes] = {};
    for (int done = 0; done < p.n_rows; done += kTileRows<L>) {
      const int n_rows = smaller(kTileRows<L>, p.n_rows - done);
      TileProduct part = product;
      part.x += done * product.x_stride;
      part.y = sums;
      part.y_stride = product.tile_stride;
      float* y = product.y + done * product.y_stride;
      for (int r = 0; r < n_rows; ++r) {
        for (int i = 0; i < n_outputs; ++i) sums[r * part.y_stride + i] = y[r * product.y_stride + i];
      }
      multiply_columns<L>(part, n_rows, static_cast<int>(product.tile_stride));
      for (int r = 0; r < n_rows; ++r) {
        for (int i = 0; i < n_outputs; ++i) y[r * product.y_stride + i] = sums[r * part.y_stride + i];
      }
    }
  }

  // ---- embedding ---------------------------------------------------------------------------------------------------

  static void copy_row(const PackedView& table, int row, float scale, float* out) {
    alignas(64) float tile[kColumns * kLanes];
    for (int block = table.col_begin / kColumns; block * kColumns < table.col_end; ++block) {
      unpack(table, row / kLanes, block, {tile, kLanes});
      const int begin = larger(block * kColumns, table.col_begin), end = smaller((block + 1) * kColumns, table.col_end);
      for (int c = begin; c < end; ++c)
        out[c - table.col_begin] = tile[(c - block * kColumns) * kLanes + row % kLanes] * scale;
    }
  }
};

}  // namespace
}  // namespace ferry
