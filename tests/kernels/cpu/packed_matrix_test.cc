#include "kernels/cpu/packed_matrix.h"

#include <gtest/gtest.h>

#include <vector>

namespace ferry {
namespace {

double packed_share(TensorType type, int lanes) {
  const TensorFormat& format = format_of(type);
  const int n_rows = 64, n_cols = 1024;
  const auto row_bytes = static_cast<size_t>(n_cols / format.block_values * format.block_bytes);
  const std::vector<std::byte> bytes(row_bytes * n_rows);
  const PackedMatrix packed({{type, bytes.data(), n_rows, n_cols, row_bytes}, 0, n_rows, 0, n_cols}, lanes);
  return static_cast<double>(packed.bytes()) / static_cast<double>(bytes.size());
}

TEST(PackedMatrix, FormatsOfPlainValuesAndOfFourOrEightBitsAreAsLargeAsInTheFile) {
  for (const TensorType type : {TensorType::f32, TensorType::f16, TensorType::bf16, TensorType::q8_0, TensorType::q4_0,
                                TensorType::q4_1, TensorType::q4_k}) {
    for (const int lanes : {4, 8, 16}) EXPECT_LT(packed_share(type, lanes), 1.04) << format_of(type).name;
  }
}

TEST(PackedMatrix, FormatsOfFiveAndSixBitsAreSomewhatLarger) {
  for (const TensorType type : {TensorType::q5_0, TensorType::q5_1, TensorType::q5_k, TensorType::q6_k}) {
    for (const int lanes : {4, 8, 16}) EXPECT_LT(packed_share(type, lanes), 1.31) << format_of(type).name;
  }
}

}  // namespace
}  // namespace ferry
