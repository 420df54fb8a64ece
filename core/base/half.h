#pragma once
// The two 16-bit floating-point formats, to f32 (exact) and back (to the nearest, ties to even).

#include <bit>
#include <cstdint>

namespace ferry {

constexpr float f32_of_f16(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  // The exponent's bias grows from 15 to 127 by a product, which also makes normal numbers of subnormal ones.
  const float magnitude = std::bit_cast<float>(static_cast<uint32_t>(half & 0x7fff) << 13) * 0x1p112f;
  const bool finite = (half & 0x7c00) != 0x7c00;
  const uint32_t bits = std::bit_cast<uint32_t>(magnitude) | (finite ? 0 : 0x7f800000);
  return std::bit_cast<float>(bits | sign);
}

constexpr uint16_t f16_of_f32(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  constexpr uint32_t kInfinity = 0x7f800000, kTooLarge = 0x477ff000, kSmallestNormal = 0x38800000;
  if (magnitude > kInfinity) return sign | 0x7e00;  // not a number
  if (magnitude >= kTooLarge) return sign | 0x7c00;
  if (magnitude < kSmallestNormal) {  // subnormal: adding 0.5 leaves the rounded half in the low bits of the sum
    const float sum = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(sum) - std::bit_cast<uint32_t>(0.5f)));
  }
  const uint32_t odd = (magnitude >> 13) & 1;
  return static_cast<uint16_t>(sign | ((magnitude - (uint32_t{112} << 23) + 0xfff + odd) >> 13));
}

constexpr float f32_of_bf16(uint16_t half) { return std::bit_cast<float>(static_cast<uint32_t>(half) << 16); }

constexpr uint16_t bf16_of_f32(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>((bits >> 16) | 0x40);  // not a number, and quiet
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

}  // namespace ferry
