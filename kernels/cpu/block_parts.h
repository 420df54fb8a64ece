#pragma once
// A block of a quantized tensor, taken apart: its scales and its codes, each by itself.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/cpu/packed_format.h"

namespace ferry {

constexpr int kMaxGroupColumns = 256;
constexpr int kMaxSubBlocks = 16;
constexpr size_t kMaxBlockBytes = 256;

struct BlockParts {
  uint16_t scale = 0;    // f16
  uint16_t minimum = 0;  // f16
  std::array<uint8_t, kMaxSubBlocks> own_scales{};
  std::array<uint8_t, kMaxSubBlocks> own_minimums{};
  std::array<uint8_t, kMaxGroupColumns> codes{};  // with the bias added
};

// Where a file's block has its scales. Everything else about it is known from core's plain definition.
struct ScalePlaces {
  size_t scale = 0;
  size_t minimum = 2;
  size_t own_scales = 4;
};

// Takes a block apart with the plain definition of its format: with every scale one and every minimum zero, its values
// are its codes, and with every code one they are its own scales.
class BlockTaker {
 public:
  explicit BlockTaker(const PackedFormat& form);  // not plain; it outlives this

  BlockParts parts_of(const std::byte* block);

 private:
  std::span<const float> values_of_copy();
  void set_scales(uint16_t scale, uint16_t minimum);
  void set_own_scales_to_one();
  void take_codes(const std::byte* block, BlockParts& parts);
  void take_grouped_scales(const std::byte* block, BlockParts& parts);

  const PackedFormat& form_;
  ScalePlaces places_;
  size_t n_bytes_;
  std::array<std::byte, kMaxBlockBytes> copy_{};
  std::array<float, kMaxGroupColumns> values_{};
};

}  // namespace ferry
