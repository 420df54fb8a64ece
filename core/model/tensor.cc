#include "core/model/tensor.h"

#include <algorithm>
#include <array>

#include "core/base/check.h"
#include "core/model/blocks.h"

namespace ferry {
namespace {

constexpr int kLargestBlock = 256;  // values

struct Format : TensorFormat {
  void (*dequantize_block)(const std::byte* block, float* out) = nullptr;
};

constexpr std::array<Format, 11> kFormats = {{
    {{TensorType::f32, "f32", 1, 4}, dequantize_f32},
    {{TensorType::f16, "f16", 1, 2}, dequantize_f16},
    {{TensorType::bf16, "bf16", 1, 2}, dequantize_bf16},
    {{TensorType::q8_0, "q8_0", 32, 34}, dequantize_q8_0},
    {{TensorType::q4_0, "q4_0", 32, 18}, dequantize_q4_0},
    {{TensorType::q4_1, "q4_1", 32, 20}, dequantize_q4_1},
    {{TensorType::q5_0, "q5_0", 32, 22}, dequantize_q5_0},
    {{TensorType::q5_1, "q5_1", 32, 24}, dequantize_q5_1},
    {{TensorType::q4_k, "q4_k", kLargestBlock, 144}, dequantize_q4_k},
    {{TensorType::q5_k, "q5_k", kLargestBlock, 176}, dequantize_q5_k},
    {{TensorType::q6_k, "q6_k", kLargestBlock, 210}, dequantize_q6_k},
}};

const Format* find_format(uint32_t type) {
  const auto* found = std::ranges::find(kFormats, static_cast<TensorType>(type), &Format::type);
  return found == kFormats.end() ? nullptr : found;
}

const Format& known_format(TensorType type) {
  const Format* format = find_format(static_cast<uint32_t>(type));
  check(format != nullptr, "a tensor type that was not held against format_of");
  return *format;
}

const std::byte* block_at(const MatrixSlice& slice, int row, int col, const TensorFormat& format) {
  const auto block = static_cast<size_t>(col / format.block_values);
  return slice.whole.data + static_cast<size_t>(slice.row_begin + row) * slice.whole.row_bytes +
         block * static_cast<size_t>(format.block_bytes);
}

}  // namespace

std::optional<TensorFormat> format_of(uint32_t type) {
  if (const Format* format = find_format(type)) return *format;
  return std::nullopt;
}

const TensorFormat& format_of(TensorType type) { return known_format(type); }

std::string readable_formats() {
  std::string names;
  for (const Format& format : kFormats) names.append(names.empty() ? "" : ", ").append(format.name);
  return names;
}

void dequantize(TensorType type, const std::byte* blocks, std::span<float> out) {
  const Format& format = known_format(type);
  const auto block_values = static_cast<size_t>(format.block_values);
  check(out.size() % block_values == 0, "whole blocks are dequantized");
  for (size_t done = 0; done < out.size(); done += block_values, blocks += format.block_bytes) {
    format.dequantize_block(blocks, &out[done]);
  }
}

bool MatrixSlice::has_whole_blocks() const {
  const int block_values = format_of(whole.type).block_values;
  return col_begin % block_values == 0 && col_end % block_values == 0;
}

const std::byte* MatrixSlice::row_blocks(int row) const {
  check(has_whole_blocks(), "only whole blocks are used as they are");
  return block_at(*this, row, col_begin, format_of(whole.type));
}

void dequantize_row(const MatrixSlice& slice, int row, std::span<float> out) {
  check(static_cast<int>(out.size()) == slice.n_cols(), "a row of the slice");
  const Format& format = known_format(slice.whole.type);
  std::array<float, kLargestBlock> block;  // that the slice has only a part of
  int col = slice.col_begin;
  while (col < slice.col_end) {
    const int block_begin = col / format.block_values * format.block_values;
    const std::byte* bytes = block_at(slice, row, col, format);
    float* to = &out[static_cast<size_t>(col - slice.col_begin)];
    if (col == block_begin && slice.col_end - col >= format.block_values) {
      const int n = (slice.col_end - col) / format.block_values * format.block_values;
      dequantize(format.type, bytes, {to, static_cast<size_t>(n)});
      col += n;
    } else {
      const int part_end = std::min(slice.col_end, block_begin + format.block_values);
      format.dequantize_block(bytes, block.data());
      std::copy(&block[static_cast<size_t>(col - block_begin)], block.data() + (part_end - block_begin), to);
      col = part_end;
    }
  }
}

}  // namespace ferry
