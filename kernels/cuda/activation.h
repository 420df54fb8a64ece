#pragma once
// The activation of a gated feed-forward layer.

#include "core/seam/ops.h"
#include "kernels/cuda/language.h"

namespace ferry::cuda {

__device__ __forceinline__ float activated(float x, Activation activation) {
  if (activation == Activation::silu) return x / (1 + expf(-x));
  constexpr float kSqrt2OverPi = 0.79788456f;
  const float inner = kSqrt2OverPi * (x + 0.044715f * x * x * x);
  return x / (1 + expf(-2 * inner));  // x/2 · (1 + tanh(inner)), without losing the small difference at −1
}

}  // namespace ferry::cuda
