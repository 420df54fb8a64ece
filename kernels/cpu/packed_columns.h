#pragma once
// Weights out of packed sub-blocks, exactly as the file's format defines them.

#include "kernels/cpu/kernel_set.h"
#include "kernels/cpu/packed_format.h"

namespace ferry {
namespace {

constexpr float inverse_power_of_two(int exponent) {
  float power = 1;
  for (int i = 0; i < exponent; ++i) power *= 0.5f;
  return power;
}

template <class L, int kFormat>
struct PackedColumns {
  using Floats = typename L::Floats;
  static constexpr PackedFormat kForm = kPackedFormats[kFormat];
  static constexpr int kLanes = L::kCount;
  static constexpr int kColumns = kForm.columns;

  struct SubBlock {
    const std::byte* header = nullptr;
    const std::byte* scales = nullptr;
  };
  struct Scales {
    Floats step;
    Floats offset;
  };

  // Sub-block b of a panel, counted from the panel's first group.
  [[gnu::always_inline]] static SubBlock sub_block(const PackedView& w, int panel, int b) {
    const std::byte* group = w.panels + static_cast<size_t>(panel) * w.panel_bytes +
                             static_cast<size_t>(b / kForm.n_sub_blocks) * kForm.group_bytes(kLanes);
    return {group, group + kForm.header_bytes(kLanes) +
                       static_cast<size_t>(b % kForm.n_sub_blocks) * kForm.sub_block_bytes(kLanes)};
  }

  // use(column, weights): each column of the sub-block in order, weights[p] those of panel p's rows.
  template <int kPanels, class Use>
  [[gnu::always_inline]] static void for_each_column(const SubBlock (&blocks)[kPanels], const Use& use) {
    if constexpr (kForm.kind == ScaleKind::plain) {
#pragma GCC unroll 8
      for (int column = 0; column < kColumns; ++column) {
        Floats weights[kPanels];
#pragma GCC unroll 4
        for (int p = 0; p < kPanels; ++p) weights[p] = plain(blocks[p].scales, column);
        use(column, weights);
      }
    } else {
      Scales scales[kPanels];
#pragma GCC unroll 4
      for (int p = 0; p < kPanels; ++p) scales[p] = scales_of(blocks[p]);
      for_each_field<0>(blocks, scales, use);
    }
  }

 private:
  template <int kField, int kPanels, class Use>
  [[gnu::always_inline]] static void for_each_field(const SubBlock (&blocks)[kPanels], const Scales (&scales)[kPanels],
                                                    const Use& use) {
    // A field stays where it is in its word, which makes the code 2^shift times as large: the step makes up for it.
    constexpr int kShift = kField * kForm.bits;
    constexpr bool kIsTop = kShift + kForm.bits == 32;
    constexpr int kFirst = kField * kForm.n_words();
    constexpr int kWords = kFirst + kForm.n_words() <= kColumns ? kForm.n_words() : kColumns - kFirst;
    Floats steps[kPanels];
#pragma GCC unroll 4
    for (int p = 0; p < kPanels; ++p) {
      steps[p] =
          kShift == 0 || kIsTop ? scales[p].step : L::mul(scales[p].step, L::splat(inverse_power_of_two(kShift)));
    }
#pragma GCC unroll 8
    for (int word = 0; word < kWords; ++word) {
      Floats weights[kPanels];
#pragma GCC unroll 4
      for (int p = 0; p < kPanels; ++p) {
        const std::byte* words = blocks[p].scales + kForm.own_scale_bytes(kLanes);
        const Floats code = L::template field<kForm.bits, kShift>(words + 4 * kLanes * word);
        weights[p] = L::fma(code, steps[p], scales[p].offset);
      }
      use(kFirst + word, weights);
    }
    if constexpr (kField + 1 < kForm.n_fields()) for_each_field<kField + 1>(blocks, scales, use);
  }

  [[gnu::always_inline]] static Scales scales_of(const SubBlock& block) {
    const Floats scale = L::load_f16(block.header);
    const Floats bias = L::splat(-static_cast<float>(kForm.bias));
    switch (kForm.kind) {
      case ScaleKind::scale:
        return {scale, L::mul(scale, bias)};
      case ScaleKind::scale_and_minimum:
        return {scale, L::load_f16(block.header + 2 * kLanes)};
      case ScaleKind::grouped: {
        const Floats own = L::load_unsigned_bytes(block.scales),
                     own_minimum = L::load_unsigned_bytes(block.scales + kLanes);
        const Floats minimum = L::mul(L::load_f16(block.header + 2 * kLanes), own_minimum);
        return {L::mul(scale, own), L::sub(L::zero(), minimum)};
      }
      case ScaleKind::grouped_signed: {
        const Floats step = L::mul(scale, L::load_signed_bytes(block.scales));
        return {step, L::mul(step, bias)};
      }
      case ScaleKind::plain:
        break;
    }
    return {L::zero(), L::zero()};
  }

  [[gnu::always_inline]] static Floats plain(const std::byte* values, int column) {
    const std::byte* at = values + column * kLanes * (kForm.bits / 8);
    if constexpr (kForm.type == TensorType::f16) return L::load_f16(at);
    if constexpr (kForm.type == TensorType::bf16) return L::load_bf16(at);
    return L::load(reinterpret_cast<const float*>(at));
  }
};

}  // namespace
}  // namespace ferry
