#pragma once
// Weights out of packed sub-blocks, exactly as the file's format defines them.

#include "kernels/cpu/kernel_set.h"
#include "kernels/cpu/packed_format.h"

namespace ferry {
namespace {

template <class L, int kFormat>
struct PackedColumns {
  using Floats = typename L::Floats;
  static constexpr PackedFormat kForm = kPackedFormats[kFormat];
  static constexpr int kLanes = L::kCount;
  static constexpr int kColumns = kForm.columns;
  // Known when compiled: a function that all files share must not be compiled for this one's instructions.
  static constexpr size_t kGroupBytes = kForm.group_bytes(kLanes);
  static constexpr size_t kHeaderBytes = kForm.header_bytes(kLanes);
  static constexpr size_t kSubBlockBytes = kForm.sub_block_bytes(kLanes);
  static constexpr size_t kOwnScaleBytes = kForm.own_scale_bytes(kLanes);

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
                             static_cast<size_t>(b / kForm.n_sub_blocks) * kGroupBytes;
    return {group, group + kHeaderBytes + static_cast<size_t>(b % kForm.n_sub_blocks) * kSubBlockBytes};
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
      for_each_code(blocks, use);
    }
  }

 private:
  // A field stays where it is in its word, which makes its code 2^shift times as large: the step makes up for it. Only
  // the last field is moved down, where it would be taken for a sign.
  template <int kPanels, class Use>
  [[gnu::always_inline]] static void for_each_code(const SubBlock (&blocks)[kPanels], const Use& use) {
    constexpr int kBits = kForm.bits, kWords = kForm.n_words(), kLast = kForm.n_fields() - 1;
    constexpr int kLastWords = kColumns - kLast * kWords;
    Floats steps[kPanels], offsets[kPanels], first_steps[kPanels];
#pragma GCC unroll 4
    for (int p = 0; p < kPanels; ++p) {
      const Scales scales = scales_of(blocks[p]);
      first_steps[p] = steps[p] = scales.step;
      offsets[p] = scales.offset;
    }
    typename L::Words mask = L::splat_word((uint32_t{1} << kBits) - 1);
#pragma GCC unroll 1
    for (int f = 0; f < kLast; ++f) {
#pragma GCC unroll 8
      for (int w = 0; w < kWords; ++w) {
        Floats weights[kPanels];
#pragma GCC unroll 4
        for (int p = 0; p < kPanels; ++p) {
          weights[p] = L::fma(L::to_floats(L::both(mask, word(blocks[p], w))), steps[p], offsets[p]);
        }
        use(f * kWords + w, weights);
      }
      mask = L::template shift_left<kBits>(mask);
#pragma GCC unroll 4
      for (int p = 0; p < kPanels; ++p) steps[p] = L::mul(steps[p], L::splat(1.0f / (1 << kBits)));
    }
#pragma GCC unroll 8
    for (int w = 0; w < kLastWords; ++w) {
      Floats weights[kPanels];
#pragma GCC unroll 4
      for (int p = 0; p < kPanels; ++p) {
        const typename L::Words code = L::template shift_right<kLast * kBits>(word(blocks[p], w));
        weights[p] = L::fma(L::to_floats(code), first_steps[p], offsets[p]);
      }
      use(kLast * kWords + w, weights);
    }
  }

  [[gnu::always_inline]] static typename L::Words word(const SubBlock& block, int w) {
    return L::load_words(block.scales + kOwnScaleBytes + 4 * kLanes * w);
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
