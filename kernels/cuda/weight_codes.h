#pragma once
// What a lane multiplies, from a step of a tile (planar_weight.h) in shared or in the card's memory.

#include "kernels/cuda/bf16_terms.h"
#include "kernels/cuda/language.h"
#include "kernels/cuda/planar_weight.h"

namespace ferry::cuda {

template <TensorType kType>
constexpr bool kIsPlain = form_of(kType).kind == ScaleKind::plain;

// Whether weights have an offset that all columns of a group share.
template <TensorType kType>
constexpr bool kHasOffset = form_of(kType).has_minimum();

// bf16 terms that hold a code exactly.
template <TensorType kType>
constexpr int kCodeTerms = kType == TensorType::f32   ? 3
                           : kType == TensorType::f16 ? 2
                                                      : 1;

template <class T>
__device__ __forceinline__ T value_at(const std::byte* memory, int i) {
  return reinterpret_cast<const T*>(memory)[i];
}

__device__ __forceinline__ float low_half(uint32_t halves) { return f32_of_half(static_cast<uint16_t>(halves)); }
__device__ __forceinline__ float high_half(uint32_t halves) { return f32_of_half(static_cast<uint16_t>(halves >> 16)); }
// As the last bits of 2²³ and more: quicker than a conversion.
__device__ __forceinline__ float byte_of(uint32_t bytes, int i) {
  return f32_of_bits((bytes >> (8 * i) & 255) | 0x4b000000) - 0x1p23f;
}
__device__ __forceinline__ float signed_byte_of(uint32_t bytes, int i) {
  return f32_of_bits(((bytes ^ 0x80808080) >> (8 * i) & 255) | 0x4b000000) - (0x1p23f + 128);
}

// What the codes of a row and group are multiplied with, and what is added. Where both halves have one scale, they are
// the same.
struct GroupScale {
  float step[2] = {1, 1};  // of columns 0 … 15, 16 … 31
  float offset = 0;
};

// Of a lane's two rows, for 256 columns.
struct BlockScales {
  float scale[2] = {};
  float minimum[2] = {};
};

// `scales` are a tile's of a block.
template <TensorType kType>
__device__ __forceinline__ BlockScales block_scales(const std::byte* scales, int lane) {
  if constexpr (form_of(kType).kind == ScaleKind::grouped) {
    const uint2 pairs = value_at<uint2>(scales, lane / 4);
    return {{low_half(pairs.x), low_half(pairs.y)}, {high_half(pairs.x), high_half(pairs.y)}};
  } else if constexpr (form_of(kType).kind == ScaleKind::grouped_signed) {
    const auto pair = value_at<uint32_t>(scales, lane / 4);
    return {{low_half(pair), high_half(pair)}, {}};
  } else {
    return {};
  }
}

// Of a lane's two rows.
template <TensorType kType>
__device__ __forceinline__ void group_scales(const std::byte* step, const BlockScales& block, int group, int lane,
                                             GroupScale (&rows)[2]) {
  constexpr ScaleKind kKind = form_of(kType).kind;
  const std::byte* scales = step + step_of(kType).scales_at;
  const int at = group * 8 + lane / 4;
  if constexpr (kKind == ScaleKind::scale) {
    const auto pair = value_at<uint32_t>(scales, at);
    rows[0].step[0] = rows[0].step[1] = low_half(pair);
    rows[1].step[0] = rows[1].step[1] = high_half(pair);
  } else if constexpr (kKind == ScaleKind::scale_and_minimum) {
    const uint2 pairs = value_at<uint2>(scales, at);
    rows[0] = {{low_half(pairs.x), low_half(pairs.x)}, high_half(pairs.x)};
    rows[1] = {{low_half(pairs.y), low_half(pairs.y)}, high_half(pairs.y)};
  } else if constexpr (kKind == ScaleKind::grouped) {
    const auto own = value_at<uint32_t>(scales, at);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      rows[r].step[0] = rows[r].step[1] = block.scale[r] * byte_of(own, 2 * r);
      rows[r].offset = -(block.minimum[r] * byte_of(own, 2 * r + 1));
    }
  } else if constexpr (kKind == ScaleKind::grouped_signed) {
    const auto own = value_at<uint32_t>(scales, at);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      rows[r].step[0] = block.scale[r] * signed_byte_of(own, 2 * r);
      rows[r].step[1] = block.scale[r] * signed_byte_of(own, 2 * r + 1);
    }
  }
}

constexpr uint32_t k128 = 0x43004300;  // a pair of bf16: the last bits of 128 + code are the code's, if it is below 128

// Bits from `shift` on, moved to bit 4.
__device__ __forceinline__ uint32_t to_bit_four(uint32_t bits, int shift) {
  return shift >= 4 ? bits >> (shift - 4) : bits << (4 - shift);
}

// Of a lane's two rows, four pairs of codes as bf16.
template <TensorType kType>
__device__ __forceinline__ void code_pairs(const std::byte* step, int group, int lane, uint32_t (&pairs)[2][4]) {
  constexpr Codes kCodes = codes_of(kType);
  constexpr StepShape kStep = step_of(kType);
  if constexpr (kCodes == Codes::bf16) {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const uint4 four = value_at<uint4>(step, (group * 2 + r) * kWarp + lane);
      pairs[r][0] = four.x, pairs[r][1] = four.y, pairs[r][2] = four.z, pairs[r][3] = four.w;
    }
  } else if constexpr (kCodes == Codes::eight) {
    const uint4 words = value_at<uint4>(step, group * kWarp + lane);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const uint32_t word = i / 4 == 0 ? (i / 2 % 2 ? words.y : words.x) : (i / 2 % 2 ? words.w : words.z);
      const uint32_t bytes = i % 2 ? word >> 8 : word;
      // Its last seven bits, and 128 or 256 to subtract: a code is 128 more than it means.
      pairs[i / 4][i % 4] =
          bf16_pair_minus(masked_with(bytes, 0x007f007f, k128), masked_with(~bytes, 0x00800080, k128));
    }
  } else {
    constexpr uint32_t kSubtracted = k128 + static_cast<uint32_t>(form_of(kType).bias) * 0x00010001;
    const uint2 words = value_at<uint2>(step, group * kWarp + lane);
    uint32_t high = 0;
    if constexpr (kCodes == Codes::five)
      high = value_at<uint32_t>(step + kStep.high_at, group / 2 * kWarp + lane) >> (group % 2 * 8);
    if constexpr (kCodes == Codes::six) high = value_at<uint32_t>(step + kStep.high_at, group * kWarp + lane);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      uint32_t codes = masked_with((i / 4 ? words.y : words.x) >> (i % 4 * 4), 0x000f000f, k128);
      if constexpr (kCodes == Codes::five) codes = masked_with(to_bit_four(high, i), 0x00100010, codes);
      if constexpr (kCodes == Codes::six) codes = masked_with(to_bit_four(high, 2 * i), 0x00300030, codes);
      pairs[i / 4][i % 4] = bf16_pair_minus(codes, kSubtracted);
    }
  }
}

// Of a lane's row, its eight columns of a plain weight.
template <TensorType kType>
__device__ __forceinline__ void plain_values(const std::byte* step, int group, int row, int lane, float (&values)[8]) {
  if constexpr (kType == TensorType::f32) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float4 four = value_at<float4>(step, ((group * 2 + row) * 2 + half) * kWarp + lane);
      values[4 * half] = four.x, values[4 * half + 1] = four.y;
      values[4 * half + 2] = four.z, values[4 * half + 3] = four.w;
    }
  } else {
    const uint4 four = value_at<uint4>(step, (group * 2 + row) * kWarp + lane);
    const uint32_t pairs[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
    for (int p = 0; p < 4; ++p) {
      values[2 * p] = kType == TensorType::f16 ? low_half(pairs[p]) : low_of_pair(pairs[p]);
      values[2 * p + 1] = kType == TensorType::f16 ? high_half(pairs[p]) : high_of_pair(pairs[p]);
    }
  }
}

// A lane's part of a tile's group: [term][which 16 columns], as mma_bf16 wants it.
template <TensorType kType>
struct Fragments {
  uint32_t a[kCodeTerms<kType>][2][4];
};

template <TensorType kType>
__device__ __forceinline__ void load(const std::byte* step, int group, int lane, Fragments<kType>& to) {
  if constexpr (kType == TensorType::f16 || kType == TensorType::f32) {
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      float values[8];
      plain_values<kType>(step, group, row, lane, values);
#pragma unroll
      for (int p = 0; p < 4; ++p) {
        uint32_t terms[kCodeTerms<kType>];
        split(values[2 * p], values[2 * p + 1], terms);
#pragma unroll
        for (int term = 0; term < kCodeTerms<kType>; ++term) to.a[term][p / 2][p % 2 * 2 + row] = terms[term];
      }
    }
  } else {
    uint32_t pairs[2][4];
    code_pairs<kType>(step, group, lane, pairs);
#pragma unroll
    for (int i = 0; i < 8; ++i) to.a[0][i % 4 / 2][i % 2 * 2 + i / 4] = pairs[i / 4][i % 4];
  }
}

// Of a lane's two rows, its eight columns (4t …, 16 + 4t …), as the file's format defines them. `group` counts through
// the tile.
template <TensorType kType>
__device__ __forceinline__ void values_of(const WeightView& w, int tile, int group, int lane, float (&values)[2][8]) {
  constexpr StepShape kStep = step_of(kType);
  const int64_t step_index = static_cast<int64_t>(tile) * w.n_steps + group / kStep.n_groups;
  const std::byte* step = w.steps + step_index * kStep.bytes;
  const int in_step = group % kStep.n_groups;
  if constexpr (kType == TensorType::bf16) {
    const int64_t row_bytes = static_cast<int64_t>(w.n_steps) * kStep.n_columns() * 2;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int64_t row = static_cast<int64_t>(tile) * kTileRows + lane / 4 + 8 * r;
      plain_values<kType>(w.steps + row * row_bytes + group * (2 * kGroupColumns), 0, 0, lane % 4, values[r]);
    }
  } else if constexpr (kIsPlain<kType>) {
#pragma unroll
    for (int r = 0; r < 2; ++r) plain_values<kType>(step, in_step, r, lane, values[r]);
  } else {
    GroupScale scales[2];
    group_scales<kType>(step, block_scales<kType>(w.block_scales + step_index / 2 * kStep.block_bytes, lane), in_step,
                        lane, scales);
    uint32_t pairs[2][4];
    code_pairs<kType>(step, in_step, lane, pairs);
#pragma unroll
    for (int i = 0; i < 16; ++i) {
      const GroupScale& scale = scales[i / 8];
      const uint32_t pair = pairs[i / 8][i % 8 / 2];
      const float code = i % 2 ? high_of_pair(pair) : low_of_pair(pair);
      // Rounded twice, as everywhere: not one fused operation.
      values[i / 8][i % 8] = __fadd_rn(__fmul_rn(scale.step[i % 8 / 4], code), scale.offset);
    }
  }
}

}  // namespace ferry::cuda
