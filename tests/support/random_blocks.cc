#include "tests/support/random_blocks.h"

#include <cstring>

#include "core/base/check.h"
#include "core/base/half.h"

namespace ferry {
namespace {

// All other bits of a block are random. `unit` is the deviation of the values with a scale of one; the minimum (added
// by q4_1 and q5_1, subtracted by q4_k and q5_k) that centres them on zero is `minimum` scales.
struct BlockShape {
  float unit = 1;
  size_t scale_at = 0;
  float minimum = 0;  // 0: the format has none
};

BlockShape shape_of(TensorType type) {
  switch (type) {
    case TensorType::q8_0:
      return {.unit = 73.9f};
    case TensorType::q4_0:
      return {.unit = 4.61f};
    case TensorType::q4_1:
      return {.unit = 4.61f, .minimum = -7.5f};
    case TensorType::q5_0:
      return {.unit = 9.23f};
    case TensorType::q5_1:
      return {.unit = 9.23f, .minimum = -15.5f};
    case TensorType::q4_k:
      return {.unit = 258, .minimum = 7.5f};
    case TensorType::q5_k:
      return {.unit = 526, .minimum = 15.5f};
    case TensorType::q6_k:
      return {.unit = 1366, .scale_at = 208};
    default:
      check(false, "a format of blocks");
      return {};
  }
}

template <class T>
void store(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

void fill_value(TensorType type, std::byte* out, float value) {
  if (type == TensorType::f32) return store(out, value);
  store(out, type == TensorType::f16 ? f16_of_f32(value) : bf16_of_f32(value));
}

void fill_block(const BlockShape& shape, std::span<std::byte> block, float deviation, std::mt19937_64& random) {
  for (std::byte& b : block) b = static_cast<std::byte>(random());
  const float scale = deviation / shape.unit;
  store(&block[shape.scale_at], f16_of_f32(scale));
  if (shape.minimum != 0) store(&block[shape.scale_at + 2], f16_of_f32(scale * shape.minimum));
}

}  // namespace

std::vector<std::byte> random_blocks(TensorType type, size_t n_values, float deviation, std::mt19937_64& random) {
  const TensorFormat& format = format_of(type);
  const auto block_values = static_cast<size_t>(format.block_values),
             block_bytes = static_cast<size_t>(format.block_bytes);
  check(n_values % block_values == 0, "whole blocks");
  std::vector<std::byte> bytes(n_values / block_values * block_bytes);
  std::normal_distribution<float> normal(0, deviation);
  for (size_t at = 0; at < bytes.size(); at += block_bytes) {
    if (block_values == 1) {
      fill_value(type, &bytes[at], normal(random));
    } else {
      fill_block(shape_of(type), std::span(bytes).subspan(at, block_bytes), deviation, random);
    }
  }
  return bytes;
}

}  // namespace ferry
