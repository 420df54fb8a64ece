#include "tests/support/random_blocks.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ferry {
namespace {

TEST(RandomBlocks, HaveTheDeviationThatWasAskedForAndCentreOnZero) {
  for (const TensorType type :
       {TensorType::f32, TensorType::f16, TensorType::bf16, TensorType::q8_0, TensorType::q4_0, TensorType::q4_1,
        TensorType::q5_0, TensorType::q5_1, TensorType::q4_k, TensorType::q5_k, TensorType::q6_k}) {
    SCOPED_TRACE(format_of(type).name);
    std::mt19937_64 random(3);
    std::vector<float> values(256 * 256);
    dequantize(type, random_blocks(type, values.size(), 0.05f, random).data(), values);
    double sum = 0, squares = 0;
    for (const float value : values) sum += value, squares += value * value;
    const auto n = static_cast<double>(values.size());
    EXPECT_NEAR(sum / n, 0, 0.006);
    EXPECT_NEAR(std::sqrt(squares / n), 0.05, 0.005);
  }
}

}  // namespace
}  // namespace ferry
