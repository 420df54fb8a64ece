#include "core/model/blocks.h"

#include <array>
#include <cstdint>
#include <cstring>

#include "core/base/half.h"

namespace ferry {
namespace {

template <class T>
T load(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

float half_at(const std::byte* bytes) { return f32_of_f16(load<uint16_t>(bytes)); }
int low(std::byte b) { return std::to_integer<int>(b) & 15; }
int high(std::byte b) { return std::to_integer<int>(b) >> 4; }
int bit(uint32_t bits, int i) { return static_cast<int>((bits >> i) & 1); }

constexpr int kHalf = 16;  // a small block's byte i holds value i in its low and value i + 16 in its high four bits

// Scales and minimums of the eight groups of 32 values in a q4_k or q5_k block: 16 numbers of 6 bits in 12 bytes. Bytes
// 0–3 hold scales 0–3, bytes 4–7 minimums 0–3, both in their low six bits. Byte 8 + i holds the low four bits of scale
// 4 + i and of minimum 4 + i; their high two are the high two of bytes i and 4 + i.
struct GroupScale {
  int scale = 0;
  int minimum = 0;
};
GroupScale group_scale_of(const std::byte* packed, int group) {
  const auto at = [packed](int i) { return std::to_integer<int>(packed[i]); };
  if (group < 4) return {at(group) & 63, at(group + 4) & 63};
  const int i = group - 4;
  return {(at(8 + i) & 15) | (at(i) >> 6 << 4), (at(8 + i) >> 4) | (at(4 + i) >> 6 << 4)};
}

}  // namespace

void dequantize_f32(const std::byte* block, float* out) { *out = load<float>(block); }
void dequantize_f16(const std::byte* block, float* out) { *out = half_at(block); }
void dequantize_bf16(const std::byte* block, float* out) { *out = f32_of_bf16(load<uint16_t>(block)); }

// scale (f16), values[32] (int8)
void dequantize_q8_0(const std::byte* block, float* out) {
  const float scale = half_at(block);
  for (int i = 0; i < 2 * kHalf; ++i) out[i] = static_cast<float>(std::to_integer<int8_t>(block[2 + i])) * scale;
}

// scale (f16), nibbles[16]
void dequantize_q4_0(const std::byte* block, float* out) {
  const float scale = half_at(block);
  for (int i = 0; i < kHalf; ++i) {
    out[i] = static_cast<float>(low(block[2 + i]) - 8) * scale;
    out[i + kHalf] = static_cast<float>(high(block[2 + i]) - 8) * scale;
  }
}

// scale (f16), minimum (f16), nibbles[16]
void dequantize_q4_1(const std::byte* block, float* out) {
  const float scale = half_at(block), minimum = half_at(block + 2);
  for (int i = 0; i < kHalf; ++i) {
    out[i] = static_cast<float>(low(block[4 + i])) * scale + minimum;
    out[i + kHalf] = static_cast<float>(high(block[4 + i])) * scale + minimum;
  }
}

// scale (f16), fifth bits (32), nibbles[16]
void dequantize_q5_0(const std::byte* block, float* out) {
  const float scale = half_at(block);
  const auto fifth = load<uint32_t>(block + 2);
  for (int i = 0; i < kHalf; ++i) {
    out[i] = static_cast<float>((low(block[6 + i]) | bit(fifth, i) << 4) - 16) * scale;
    out[i + kHalf] = static_cast<float>((high(block[6 + i]) | bit(fifth, i + kHalf) << 4) - 16) * scale;
  }
}

// scale (f16), minimum (f16), fifth bits (32), nibbles[16]
void dequantize_q5_1(const std::byte* block, float* out) {
  const float scale = half_at(block), minimum = half_at(block + 2);
  const auto fifth = load<uint32_t>(block + 4);
  for (int i = 0; i < kHalf; ++i) {
    out[i] = static_cast<float>(low(block[8 + i]) | bit(fifth, i) << 4) * scale + minimum;
    out[i + kHalf] = static_cast<float>(high(block[8 + i]) | bit(fifth, i + kHalf) << 4) * scale + minimum;
  }
}

// scale (f16), minimum (f16), group scales[12], nibbles[128]: groups 2p and 2p + 1 in the low and high bits of 32 bytes
void dequantize_q4_k(const std::byte* block, float* out) {
  const float scale = half_at(block), minimum = half_at(block + 2);
  for (int group = 0; group < 8; ++group) {
    const GroupScale own = group_scale_of(block + 4, group);
    const float step = scale * static_cast<float>(own.scale), offset = minimum * static_cast<float>(own.minimum);
    const std::byte* nibbles = block + 16 + group / 2 * 32;
    for (int i = 0; i < 32; ++i) {
      const int value = group % 2 == 0 ? low(nibbles[i]) : high(nibbles[i]);
      out[group * 32 + i] = step * static_cast<float>(value) - offset;
    }
  }
}

// scale (f16), minimum (f16), group scales[12], fifth bits[32]: bit g of byte i for value i of group g, nibbles[128]
void dequantize_q5_k(const std::byte* block, float* out) {
  const float scale = half_at(block), minimum = half_at(block + 2);
  const std::byte* fifth = block + 16;
  for (int group = 0; group < 8; ++group) {
    const GroupScale own = group_scale_of(block + 4, group);
    const float step = scale * static_cast<float>(own.scale), offset = minimum * static_cast<float>(own.minimum);
    const std::byte* nibbles = block + 48 + group / 2 * 32;
    for (int i = 0; i < 32; ++i) {
      const int value = group % 2 == 0 ? low(nibbles[i]) : high(nibbles[i]);
      const int above = bit(std::to_integer<uint32_t>(fifth[i]), group) << 4;
      out[group * 32 + i] = step * static_cast<float>(value | above) - offset;
    }
  }
}

// nibbles[128], upper bits[64], scales[16] (int8, one for 16 values), scale (f16). Each half of 128 values is four
// groups of 32: the low bits of groups 0 and 1, then the high bits for groups 2 and 3, and two upper bits a group.
void dequantize_q6_k(const std::byte* block, float* out) {
  const float scale = half_at(block + 208);
  for (int group = 0; group < 8; ++group) {
    const int half = group / 4, place = group % 4;
    const std::byte* nibbles = block + half * 64 + place % 2 * 32;
    const std::byte* upper = block + 128 + half * 32;
    for (int i = 0; i < 32; ++i) {
      const int lower = place < 2 ? low(nibbles[i]) : high(nibbles[i]);
      const int above = std::to_integer<int>(upper[i]) >> (2 * place) & 3;
      const auto own = std::to_integer<int8_t>(block[192 + group * 2 + i / 16]);
      out[group * 32 + i] = scale * static_cast<float>(own) * static_cast<float>((lower | above << 4) - 32);
    }
  }
}

}  // namespace ferry
