// The product of a warp, as nvcc/language.h says which lane holds what. Products and their sums are exact (double), a
// tile is rounded to f32 once; the tensor cores of a card cut off bits in between.

#include "kernels/cuda/host/language.h"

namespace ferry::cuda {

void multiply_tiles(emulator::WarpWords& words) {
  constexpr size_t kRows = 16, kColumns = 8, kProducts = 16;
  double a[kRows][kProducts], b[kProducts][kColumns];
  for (size_t lane = 0; lane < kWarp; ++lane) {
    const size_t g = lane / 4, t = lane % 4;
    for (size_t i = 0; i < 4; ++i) {
      double* at = &a[g + i % 2 * 8][2 * t + i / 2 * 8];
      at[0] = static_cast<double>(low_bf16(words[lane][i]));
      at[1] = static_cast<double>(high_bf16(words[lane][i]));
    }
    for (size_t i = 0; i < 2; ++i) {
      b[2 * t + i * 8][g] = static_cast<double>(low_bf16(words[lane][4 + i]));
      b[2 * t + i * 8 + 1][g] = static_cast<double>(high_bf16(words[lane][4 + i]));
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

}  // namespace ferry::cuda
