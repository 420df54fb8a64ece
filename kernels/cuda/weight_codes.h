#pragma once
// What a warp multiplies, from the planes of a weight (planar_weight.h).

#include "kernels/cuda/bf16_terms.h"
#include "kernels/cuda/language.h"
#include "kernels/cuda/planar_weight.h"

namespace ferry::cuda {

// bf16 terms that hold a code exactly.
template <Codes kCodes>
constexpr int kCodeTerms = kCodes == Codes::f32   ? 3
                           : kCodes == Codes::f16 ? 2
                                                  : 1;

// A lane's part of a tile's group: [term][which 16 columns], as mma_bf16 wants it.
template <Codes kCodes>
struct Fragments {
  uint32_t a[kCodeTerms<kCodes>][2][4];
};

// What the codes of a row and group are multiplied with. Where both halves have one scale, they are the same.
struct GroupScale {
  float step[2];  // of columns 0 … 15, 16 … 31
  float offset;
};

__device__ __forceinline__ float scale_at(const WeightView& w, int64_t i) { return f32_of_half(w.scales[i]); }

// `group` counts through all tiles.
__device__ inline GroupScale group_scale(const WeightView& w, int64_t group, int row) {
  const int64_t block = group / w.groups_of_block * kTileRows + row;
  switch (w.kind) {
    case ScaleKind::plain:
      return {{1, 1}, 0};
    case ScaleKind::scale: {
      const float scale = scale_at(w, block);
      return {{scale, scale}, 0};
    }
    case ScaleKind::scale_and_minimum: {
      const float scale = scale_at(w, 2 * block);
      return {{scale, scale}, scale_at(w, 2 * block + 1)};
    }
    default:
      break;
  }
  const float scale = scale_at(w, 2 * block);
  const int own = w.own_scales[group * kTileRows + row];
  if (w.kind == ScaleKind::grouped) {
    const float step = scale * static_cast<float>(own & 255);
    return {{step, step}, -(scale_at(w, 2 * block + 1) * static_cast<float>(own >> 8))};
  }
  return {{scale * static_cast<float>(static_cast<int8_t>(own & 255)),
           scale * static_cast<float>(static_cast<int8_t>(own >> 8))},
          0};
}

// Four codes below 128, one a byte, as two pairs of bf16: bytes 0 and 2, bytes 1 and 3. 128 + code is a bf16 whose last
// bits are the code's.
__device__ __forceinline__ void small_codes(uint32_t bytes, int bias, uint32_t& even, uint32_t& odd) {
  constexpr uint32_t k128 = 0x43004300;
  const uint32_t subtracted = k128 + static_cast<uint32_t>(bias) * 0x00010001;
  even = bf16_pair_minus((bytes & 0x007f007f) | k128, subtracted);
  odd = bf16_pair_minus((bytes >> 8 & 0x007f007f) | k128, subtracted);
}

// A lane's row, its codes one a byte: columns 4t …, columns 16 + 4t …. `at` counts lanes and halves of rows.
template <Codes kCodes>
__device__ __forceinline__ void bytes_of_row(const WeightView& w, int64_t at, uint32_t (&bytes)[2]) {
  if constexpr (kCodes == Codes::eight) {
    bytes[0] = w.codes[2 * at];
    bytes[1] = w.codes[2 * at + 1];
  } else {
    const uint32_t word = w.codes[at];
    bytes[0] = word & 0x0f0f0f0f;
    bytes[1] = word >> 4 & 0x0f0f0f0f;
  }
  if constexpr (kCodes == Codes::five || kCodes == Codes::six) {
    constexpr int kBits = kCodes == Codes::five ? 1 : 2;
    const uint32_t high = kCodes == Codes::five ? reinterpret_cast<const uint8_t*>(w.high)[at]
                                                : reinterpret_cast<const uint16_t*>(w.high)[at];
#pragma unroll
    for (int i = 0; i < 8; ++i) bytes[i / 4] |= (high >> (kBits * i) & ((1 << kBits) - 1)) << (i % 4 * 8 + 4);
  }
}

__device__ __forceinline__ float code_in_byte(uint32_t bytes, int i, int bias) {
  return static_cast<float>(static_cast<int>(bytes >> (8 * i) & 255) - bias);
}

// A lane's row: pair `p` (of two) of the 16 columns `half`, as values.
template <Codes kCodes>
__device__ __forceinline__ void plain_pair(const WeightView& w, int64_t at, int half, int p, float& low, float& high) {
  if constexpr (kCodes == Codes::f32) {
    low = f32_of_bits(w.codes[8 * at + 4 * half + 2 * p]);
    high = f32_of_bits(w.codes[8 * at + 4 * half + 2 * p + 1]);
  } else {
    const uint32_t word = w.codes[4 * at + 2 * half + p];
    low = kCodes == Codes::f16 ? f32_of_half(static_cast<uint16_t>(word)) : low_of_pair(word);
    high = kCodes == Codes::f16 ? f32_of_half(static_cast<uint16_t>(word >> 16)) : high_of_pair(word);
  }
}

template <Codes kCodes>
__device__ __forceinline__ void load(const WeightView& w, int64_t group, int lane, Fragments<kCodes>& to) {
#pragma unroll
  for (int row = 0; row < 2; ++row) {
    const int64_t at = (group * kWarp + lane) * 2 + row;
    if constexpr (kCodes == Codes::bf16) {
#pragma unroll
      for (int i = 0; i < 4; ++i) to.a[0][i / 2][i % 2 * 2 + row] = w.codes[4 * at + i];
    } else if constexpr (kCodes == Codes::f16 || kCodes == Codes::f32) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        float low, high;
        uint32_t pairs[kCodeTerms<kCodes>];
        plain_pair<kCodes>(w, at, i / 2, i % 2, low, high);
        split(low, high, pairs);
#pragma unroll
        for (int term = 0; term < kCodeTerms<kCodes>; ++term) to.a[term][i / 2][i % 2 * 2 + row] = pairs[term];
      }
    } else {
      uint32_t bytes[2];
      bytes_of_row<kCodes>(w, at, bytes);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        uint32_t* a = to.a[0][half];
        if constexpr (kCodes == Codes::eight) {
          a[row] = bf16_pair(code_in_byte(bytes[half], 0, w.bias), code_in_byte(bytes[half], 2, w.bias));
          a[2 + row] = bf16_pair(code_in_byte(bytes[half], 1, w.bias), code_in_byte(bytes[half], 3, w.bias));
        } else {
          small_codes(bytes[half], w.bias, a[row], a[2 + row]);
        }
      }
    }
  }
}

// Of one row, the eight values of a lane (columns 4t …, 16 + 4t …), as the file's format defines them.
template <Codes kCodes>
__device__ inline void values_of_row(const WeightView& w, int64_t group, int row, int t, float (&values)[8]) {
  const int64_t at = (group * kWarp + row % 8 * 4 + t) * 2 + row / 8;
  if constexpr (kCodes == Codes::f32 || kCodes == Codes::f16 || kCodes == Codes::bf16) {
    for (int i = 0; i < 4; ++i) {
      float* to = values + i / 2 * 4 + i % 2;
      plain_pair<kCodes>(w, at, i / 2, i % 2, to[0], to[2]);
    }
  } else {
    uint32_t bytes[2];
    bytes_of_row<kCodes>(w, at, bytes);
    const GroupScale scale = group_scale(w, group, row);
    for (int i = 0; i < 8; ++i) {
      // Rounded twice, as everywhere: not one fused operation.
      values[i] = __fadd_rn(__fmul_rn(scale.step[i / 4], code_in_byte(bytes[i / 4], i % 4, w.bias)), scale.offset);
    }
  }
}

}  // namespace ferry::cuda
