// What a warp does with matrices, as nvcc/language.h says which lane holds what. Products and their sums are exact
// (double), a tile is rounded to f32 once; the tensor cores of a card cut off bits in between.

#include "kernels/cuda/host/language.h"

namespace ferry::cuda {
namespace {

template <class ValueOf>
void multiply_tiles(emulator::WarpWords& words, const ValueOf& value_of) {
  constexpr size_t kRows = 16, kColumns = 8, kProducts = 16;
  double a[kRows][kProducts], b[kProducts][kColumns];
  for (size_t lane = 0; lane < kWarp; ++lane) {
    const size_t g = lane / 4, t = lane % 4;
    for (size_t i = 0; i < 4; ++i) {
      double* at = &a[g + i % 2 * 8][2 * t + i / 2 * 8];
      at[0] = value_of(words[lane][i] & 0xffff);
      at[1] = value_of(words[lane][i] >> 16);
    }
    for (size_t i = 0; i < 2; ++i) {
      b[2 * t + i * 8][g] = value_of(words[lane][4 + i] & 0xffff);
      b[2 * t + i * 8 + 1][g] = value_of(words[lane][4 + i] >> 16);
    }
  }
  double sums[kRows][kColumns] = {};
  for (size_t r = 0; r < kRows; ++r) {
    for (size_t k = 0; k < kProducts; ++k) {
      for (size_t c = 0; c < kColumns; ++c) sums[r][c] += a[r][k] * b[k][c];
    }
  }
  for (size_t lane = 0; lane < kWarp; ++lane) {
    for (size_t i = 0; i < 4; ++i) {
      uint32_t& c = words[lane][6 + i];
      c = std::bit_cast<uint32_t>(std::bit_cast<float>(c) +
                                  static_cast<float>(sums[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2]));
    }
  }
}

}  // namespace

void multiply_bf16_tiles(emulator::WarpWords& words) {
  multiply_tiles(words, [](uint32_t bits) { return static_cast<double>(f32_of_bf16(static_cast<uint16_t>(bits))); });
}
void multiply_f16_tiles(emulator::WarpWords& words) {
  multiply_tiles(words, [](uint32_t bits) { return static_cast<double>(f32_of_f16(static_cast<uint16_t>(bits))); });
}

void load_tiles(emulator::WarpWords& words) {
  constexpr size_t kSide = 8, kMatrices = 4;
  uint16_t values[kMatrices][kSide][kSide];
  for (size_t lane = 0; lane < kWarp; ++lane) {
    const auto place = static_cast<uintptr_t>(words[lane][0]) | static_cast<uintptr_t>(words[lane][1]) << 32;
    std::memcpy(values[lane / kSide][lane % kSide], reinterpret_cast<const void*>(place), sizeof(values[0][0]));
  }
  for (size_t lane = 0; lane < kWarp; ++lane) {
    const size_t g = lane / 4, t = lane % 4;
    const bool turned = words[lane][2] != 0;
    for (size_t i = 0; i < kMatrices; ++i) {
      const uint32_t low = turned ? values[i][2 * t][g] : values[i][g][2 * t];
      const uint32_t high = turned ? values[i][2 * t + 1][g] : values[i][g][2 * t + 1];
      words[lane][i] = low | high << 16;
    }
  }
}

}  // namespace ferry::cuda
