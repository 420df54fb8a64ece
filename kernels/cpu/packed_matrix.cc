#include "kernels/cpu/packed_matrix.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>

#include "core/base/check.h"
#include "kernels/cpu/block_parts.h"

namespace ferry {
namespace {

// Where the rows of one panel go.
class PanelWriter {
 public:
  PanelWriter(const PackedFormat& form, int lanes, std::byte* panel) : form_(form), lanes_(lanes), panel_(panel) {}

  void put(const BlockParts& parts, int group, int lane) {
    const auto at = static_cast<size_t>(lane), n = static_cast<size_t>(lanes_);
    std::byte* header = panel_ + static_cast<size_t>(group) * form_.group_bytes(lanes_);
    std::memcpy(header + 2 * at, &parts.scale, 2);
    if (form_.has_minimum()) std::memcpy(header + 2 * (n + at), &parts.minimum, 2);
    std::byte* sub_block = header + form_.header_bytes(lanes_);
    for (size_t s = 0; s < static_cast<size_t>(form_.n_sub_blocks); ++s, sub_block += form_.sub_block_bytes(lanes_)) {
      const size_t own_bytes = form_.own_scale_bytes(lanes_);
      if (own_bytes > 0) sub_block[at] = static_cast<std::byte>(parts.own_scales[s]);
      if (own_bytes > n) sub_block[n + at] = static_cast<std::byte>(parts.own_minimums[s]);
      put_words(&parts.codes[s * static_cast<size_t>(form_.columns)], sub_block + own_bytes, at);
    }
  }

 private:
  void put_words(const uint8_t* codes, std::byte* words, size_t lane) const {
    for (int w = 0; w < form_.n_words(); ++w) {
      uint32_t word = 0;
      for (int f = 0; f < form_.n_fields(); ++f) {
        const int column = f * form_.n_words() + w;
        if (column < form_.columns) word |= static_cast<uint32_t>(codes[column]) << (f * form_.bits);
      }
      std::memcpy(words + 4 * (static_cast<size_t>(w * lanes_) + lane), &word, sizeof word);
    }
  }

  const PackedFormat& form_;
  int lanes_;
  std::byte* panel_;
};

void pack_quantized(const PackedFormat& form, const MatrixSlice& slice, int lanes, int row, std::byte* panel) {
  BlockTaker taker(form);
  PanelWriter writer(form, lanes, panel);
  const auto block_bytes = static_cast<size_t>(format_of(form.type).block_bytes);
  const int first_group = slice.col_begin / form.group_columns();
  const std::byte* row_blocks = slice.whole.data + static_cast<size_t>(slice.row_begin + row) * slice.whole.row_bytes;
  for (int group = first_group; group * form.group_columns() < slice.col_end; ++group) {
    writer.put(taker.parts_of(row_blocks + static_cast<size_t>(group) * block_bytes), group - first_group, row % lanes);
  }
}

void pack_plain(const PackedFormat& form, const MatrixSlice& slice, int lanes, int row, std::byte* panel) {
  const auto value_bytes = static_cast<size_t>(form.bits / 8);
  const std::byte* values = slice.whole.data + static_cast<size_t>(slice.row_begin + row) * slice.whole.row_bytes +
                            static_cast<size_t>(slice.col_begin) * value_bytes;
  for (int c = 0; c < slice.n_cols(); ++c) {
    const auto place = static_cast<size_t>(c) * static_cast<size_t>(lanes) + static_cast<size_t>(row % lanes);
    std::memcpy(panel + place * value_bytes, values + static_cast<size_t>(c) * value_bytes, value_bytes);
  }
}

int format_index_of(TensorType type) {
  const auto* found = std::ranges::find(kPackedFormats, type, &PackedFormat::type);
  check(found != std::end(kPackedFormats), "a tensor type that the CPU's kernels know");
  return static_cast<int>(found - std::begin(kPackedFormats));
}

// A large matrix lies in large pages where the system gives them, so that reading it seldom waits for a page table.
std::byte* memory_of(size_t n_bytes) {
  constexpr size_t kCacheLine = 64, kLargePage = size_t{2} << 20;
  const bool is_large = n_bytes >= 2 * kLargePage;
  const size_t alignment = is_large ? kLargePage : kCacheLine;
  const size_t n_whole = (n_bytes + alignment - 1) / alignment * alignment;
  auto* bytes = static_cast<std::byte*>(std::aligned_alloc(alignment, n_whole));
  if (bytes == nullptr && n_whole > 0) throw std::bad_alloc();
  if (is_large) madvise(bytes, n_whole, MADV_HUGEPAGE);  // a wish: it works without
  return bytes;
}

}  // namespace

PackedMatrix::PackedMatrix(const MatrixSlice& slice, int lanes)
    : format_(format_index_of(slice.whole.type)), lanes_(lanes) {
  const PackedFormat& form = kPackedFormats[format_];
  const int group_columns = form.group_columns();
  const int skipped = form.kind == ScaleKind::plain ? slice.col_begin : slice.col_begin / group_columns * group_columns;
  const int n_groups = (slice.col_end - skipped + group_columns - 1) / group_columns;
  view_ = {.panels = nullptr,
           .panel_bytes = static_cast<size_t>(n_groups) * form.group_bytes(lanes),
           .n_rows = slice.n_rows(),
           .col_begin = slice.col_begin - skipped,
           .col_end = slice.col_end - skipped};
  bytes_.reset(memory_of(bytes()));
  view_.panels = bytes_.get();
}

void PackedMatrix::pack(const MatrixSlice& slice, PanelRange panels) {
  const PackedFormat& form = kPackedFormats[format_];
  const auto pack_row = form.kind == ScaleKind::plain ? pack_plain : pack_quantized;
  for (int p = panels.begin; p < panels.end; ++p) {
    std::byte* panel = bytes_.get() + static_cast<size_t>(p) * view_.panel_bytes;
    std::memset(panel, 0, view_.panel_bytes);  // lanes without a row multiply by zero
    for (int row = p * lanes_; row < std::min((p + 1) * lanes_, n_rows()); ++row)
      pack_row(form, slice, lanes_, row, panel);
  }
}

}  // namespace ferry
