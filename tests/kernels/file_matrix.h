#pragma once
// Random matrices of every format, as files have them.

#include <array>
#include <cstring>
#include <vector>

#include "core/base/half.h"
#include "core/model/tensor.h"
#include "tests/kernels/ops_fixture.h"

namespace ferry {

inline constexpr std::array kTypes = {TensorType::f32,  TensorType::f16,  TensorType::bf16, TensorType::q8_0,
                                      TensorType::q4_0, TensorType::q4_1, TensorType::q5_0, TensorType::q5_1,
                                      TensorType::q4_k, TensorType::q5_k, TensorType::q6_k};

// A file's matrix: random codes, and scales (16-bit floats, at the places where each format has them) of a usual size.
class FileMatrix {
 public:
  FileMatrix(TensorType type, int n_rows, int n_cols, Random& random) : type_(type), n_rows_(n_rows), n_cols_(n_cols) {
    const TensorFormat& format = format_of(type);
    const int n_blocks = n_rows * n_cols / format.block_values;
    bytes_.resize(static_cast<size_t>(n_blocks) * static_cast<size_t>(format.block_bytes));
    for (std::byte& byte : bytes_) byte = static_cast<std::byte>(random.bits());
    for (int b = 0; b < n_blocks; ++b) set_scales(bytes_.data() + b * format.block_bytes, random);
  }

  MatrixSlice all() const { return {view(), 0, n_rows_, 0, n_cols_}; }
  // Some of its rows and columns, also from the middle of a block to the middle of another.
  MatrixSlice part(Random& random) const {
    MatrixSlice slice = all();
    slice.row_begin = random.between(0, n_rows_ * 4 / 7);
    slice.row_end = random.between(slice.row_begin + 1, n_rows_);
    slice.col_begin = random.between(0, n_cols_ - 1);
    slice.col_end = random.between(slice.col_begin + 1, n_cols_);
    return slice;
  }
  MatrixView view() const {
    const TensorFormat& format = format_of(type_);
    const auto row_bytes = static_cast<size_t>(n_cols_ / format.block_values * format.block_bytes);
    return {type_, bytes_.data(), n_rows_, n_cols_, row_bytes};
  }

 private:
  void set_scales(std::byte* block, Random& random) {
    const auto put_half = [&](size_t offset, float value) {
      const uint16_t half = type_ == TensorType::bf16 ? bf16_of_f32(value) : f16_of_f32(value);
      std::memcpy(block + offset, &half, sizeof half);
    };
    switch (type_) {
      case TensorType::f32: {
        const float value = random.normal();
        std::memcpy(block, &value, sizeof value);
        break;
      }
      case TensorType::q4_1:
      case TensorType::q5_1:
      case TensorType::q4_k:
      case TensorType::q5_k:
        put_half(2, 0.1f * random.normal());
        [[fallthrough]];
      case TensorType::f16:
      case TensorType::bf16:
      case TensorType::q4_0:
      case TensorType::q5_0:
      case TensorType::q8_0:
        put_half(0, 0.02f * random.normal());
        break;
      case TensorType::q6_k:
        put_half(208, 0.001f * random.normal());
        break;
    }
  }

  TensorType type_;
  int n_rows_, n_cols_;
  std::vector<std::byte> bytes_;
};

}  // namespace ferry
