#pragma once
// Matrices as model files hold them: rows of values or of quantized blocks. Formats follow GGUF (ggml); the numbers of
// TensorType are that format's. Views do not own: the mapped file outlives them.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ferry {

enum class TensorType : uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  bf16 = 30,
};

struct TensorFormat {
  TensorType type = TensorType::f32;
  std::string_view name;
  int block_values = 1;  // values in a block; a row holds whole blocks
  int block_bytes = 4;
};

// nullopt: a type that Ferry does not read.
std::optional<TensorFormat> format_of(uint32_t type);
const TensorFormat& format_of(TensorType type);
std::string readable_formats();  // "f32, f16, …": for messages

// blocks [n / block_values] → out [n]; n is a multiple of block_values.
void dequantize(TensorType type, const std::byte* blocks, std::span<float> out);

// A whole matrix of the file, row-major. y = x · matrixᵀ: a row makes one output.
struct MatrixView {
  TensorType type = TensorType::f32;
  const std::byte* data = nullptr;  // [n_rows][row_bytes]
  int n_rows = 0;
  int n_cols = 0;
  size_t row_bytes = 0;
};

// The part of a matrix that one rank computes with: rows [row_begin, row_end), columns [col_begin, col_end). Columns
// need not start or end at a block.
struct MatrixSlice {
  MatrixView whole;
  int row_begin = 0;
  int row_end = 0;
  int col_begin = 0;
  int col_end = 0;

  int n_rows() const { return row_end - row_begin; }
  int n_cols() const { return col_end - col_begin; }
  // Columns start and end at a block, so the blocks can be used as they are.
  bool has_whole_blocks() const;
  // First block of a row of the slice (0 ≤ row < n_rows()); only with whole blocks.
  const std::byte* row_blocks(int row) const;
};

// Row `row` of the slice → out [n_cols()]. Allocates nothing.
void dequantize_row(const MatrixSlice& slice, int row, std::span<float> out);

}  // namespace ferry
