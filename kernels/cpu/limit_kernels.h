#pragma once
// Loops that do nothing but multiply-adds, or nothing but loads.

#include "kernels/cpu/kernel_set.h"

namespace ferry {
namespace {

template <class L>
struct LimitKernels {
  using Floats = typename L::Floats;

  static float chain_multiply_adds(int64_t n_rounds) {
    const Floats factor = L::splat(0.999f), addend = L::splat(1.0f);
    Floats chains[kChains];  // unlike each other, or the compiler makes one of them
#pragma GCC unroll 16
    for (int c = 0; c < kChains; ++c) chains[c] = L::splat(static_cast<float>(c));
    for (int64_t i = 0; i < n_rounds; ++i) {
#pragma GCC unroll 16
      for (int c = 0; c < kChains; ++c) chains[c] = L::fma(chains[c], factor, addend);
    }
    Floats total = L::zero();
#pragma GCC unroll 16
    for (int c = 0; c < kChains; ++c) total = L::add(total, chains[c]);
    return L::sum(total);
  }

  static float sum(const float* values, int64_t n) {
    constexpr int kSums = 8;
    Floats sums[kSums];
#pragma GCC unroll 8
    for (int s = 0; s < kSums; ++s) sums[s] = L::zero();
    for (int64_t i = 0; i + kSums * L::kCount <= n; i += kSums * L::kCount) {
#pragma GCC unroll 8
      for (int s = 0; s < kSums; ++s) sums[s] = L::add(sums[s], L::load(values + i + s * L::kCount));
    }
    Floats total = L::zero();
#pragma GCC unroll 8
    for (int s = 0; s < kSums; ++s) total = L::add(total, sums[s]);
    return L::sum(total);
  }
};

}  // namespace
}  // namespace ferry
