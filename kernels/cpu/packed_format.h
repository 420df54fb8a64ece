#pragma once
// How a matrix lies in memory for the CPU's kernels: as its file's codes and scales, about as many bytes, but with the
// rows of a panel interleaved, so that a vector holds one column of as many rows as it has lanes and a product needs no
// sum across lanes.
//
// panel (`lanes` rows) = groups, one after another, from the file's block that holds the slice's first column
// group (a block of the file) = header, then sub-blocks
//   header     scale f16 [lanes], and for `scale_and_minimum` and `grouped` minimum f16 [lanes]
//   sub-block  for `grouped` scale u8 [lanes], minimum u8 [lanes]; for `grouped_signed` scale i8 [lanes]; then
//              words u32 [n_words][lanes]: column f · n_words + w is the f-th field of `bits` bits of word w
// Plain values (f32, f16, bf16) have neither header nor fields: [kPlainColumns][lanes] values make a group.

#include <cstddef>

#include "core/model/tensor.h"

namespace ferry {

// weight = step · code + offset, of the scales that a block has:
enum class ScaleKind {
  plain,              // the weight is its code
  scale,              // step = scale, offset = −bias · scale
  scale_and_minimum,  // step = scale, offset = minimum
  grouped,            // step = scale · own scale, offset = −minimum · own minimum
  grouped_signed,     // step = scale · own scale, offset = −bias · step
};

struct PackedFormat {
  TensorType type = TensorType::f32;
  ScaleKind kind = ScaleKind::plain;
  int bits = 32;    // of a field
  int bias = 0;     // is added to a code of the file to make it ≥ 0
  int columns = 0;  // of a sub-block
  int n_sub_blocks = 1;

  constexpr int n_fields() const { return 32 / bits; }
  constexpr int n_words() const { return (columns + n_fields() - 1) / n_fields(); }
  constexpr int group_columns() const { return columns * n_sub_blocks; }
  constexpr size_t header_bytes(int lanes) const {
    const int halves = kind == ScaleKind::plain ? 0 : has_minimum() ? 2 : 1;
    return sizeof(uint16_t) * static_cast<size_t>(halves * lanes);
  }
  constexpr size_t own_scale_bytes(int lanes) const {
    const int bytes = kind == ScaleKind::grouped ? 2 : kind == ScaleKind::grouped_signed ? 1 : 0;
    return static_cast<size_t>(bytes * lanes);
  }
  constexpr size_t sub_block_bytes(int lanes) const {
    const int code_bytes = kind == ScaleKind::plain ? columns * bits / 8 : 4 * n_words();
    return own_scale_bytes(lanes) + static_cast<size_t>(code_bytes * lanes);
  }
  constexpr size_t group_bytes(int lanes) const {
    return header_bytes(lanes) + static_cast<size_t>(n_sub_blocks) * sub_block_bytes(lanes);
  }
  constexpr bool has_minimum() const { return kind == ScaleKind::scale_and_minimum || kind == ScaleKind::grouped; }
};

inline constexpr int kPlainColumns = 8;

// Fields of five bits leave two bits of a word unused; codes of six bits take eight.
inline constexpr PackedFormat kPackedFormats[] = {
    {TensorType::f32, ScaleKind::plain, 32, 0, kPlainColumns, 1},
    {TensorType::f16, ScaleKind::plain, 16, 0, kPlainColumns, 1},
    {TensorType::bf16, ScaleKind::plain, 16, 0, kPlainColumns, 1},
    {TensorType::q8_0, ScaleKind::scale, 8, 128, 32, 1},
    {TensorType::q4_0, ScaleKind::scale, 4, 8, 32, 1},
    {TensorType::q4_1, ScaleKind::scale_and_minimum, 4, 0, 32, 1},
    {TensorType::q5_0, ScaleKind::scale, 5, 16, 32, 1},
    {TensorType::q5_1, ScaleKind::scale_and_minimum, 5, 0, 32, 1},
    {TensorType::q4_k, ScaleKind::grouped, 4, 0, 32, 8},
    {TensorType::q5_k, ScaleKind::grouped, 5, 0, 32, 8},
    {TensorType::q6_k, ScaleKind::grouped_signed, 8, 32, 16, 16},
};
inline constexpr int kFormatCount = static_cast<int>(sizeof kPackedFormats / sizeof kPackedFormats[0]);

}  // namespace ferry
