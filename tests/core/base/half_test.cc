#include "core/base/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace ferry {
namespace {

// By the format's definition, in double.
double value_of_f16(int half) {
  const int exponent = half >> 10 & 31, mantissa = half & 1023;
  const double sign = half & 0x8000 ? -1 : 1;
  if (exponent == 31) return mantissa == 0 ? sign * INFINITY : NAN;
  return sign * (exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25));
}

TEST(Half, EveryF16HasItsValueAndComesBack) {
  for (int half = 0; half < 65536; ++half) {
    const float value = f32_of_f16(static_cast<uint16_t>(half));
    const double expected = value_of_f16(half);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(value));
      EXPECT_TRUE(std::isnan(f32_of_f16(f16_of_f32(value))));
      continue;
    }
    EXPECT_EQ(value, expected);
    EXPECT_EQ(f16_of_f32(value), half);
  }
}

TEST(Half, BetweenTwoF16TheNearestIsTakenAndTheEvenOneInTheMiddle) {
  for (int half = 0; half + 1 < 0x7c00; ++half) {
    const double low = value_of_f16(half), high = value_of_f16(half + 1);
    const auto middle = static_cast<float>((low + high) / 2);  // exact
    EXPECT_EQ(f16_of_f32(middle), half % 2 == 0 ? half : half + 1);
    EXPECT_EQ(f16_of_f32(std::nextafter(middle, 0.0f)), half);
    EXPECT_EQ(f16_of_f32(std::nextafter(middle, INFINITY)), half + 1);
  }
  EXPECT_EQ(f16_of_f32(65519.99f), 0x7bff);
  EXPECT_EQ(f16_of_f32(65520.0f), 0x7c00);
  EXPECT_EQ(f16_of_f32(-std::numeric_limits<float>::max()), 0xfc00);
}

TEST(Half, Bf16IsTheUpperHalfOfAFloatRoundedToEven) {
  EXPECT_EQ(f32_of_bf16(0x3fc0), 1.5f);
  for (uint32_t half = 0; half < 0x7f80; ++half) {
    const auto bits = [](uint32_t b) { return bf16_of_f32(std::bit_cast<float>(b)); };
    EXPECT_EQ(bits(half << 16), half);
    EXPECT_EQ(bits((half << 16) + 0x7fff), half);
    EXPECT_EQ(bits((half << 16) + 0x8000), half % 2 == 0 ? half : half + 1);
    EXPECT_EQ(bits((half << 16) + 0x8001), half + 1);
  }
  EXPECT_TRUE(std::isnan(f32_of_bf16(bf16_of_f32(std::numeric_limits<float>::quiet_NaN()))));
}

}  // namespace
}  // namespace ferry
