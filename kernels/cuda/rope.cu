// Rotates pairs of values in place: 8 bytes a value.

#include "kernels/cuda/language.h"
#include "kernels/cuda/launches.h"

namespace ferry::cuda {
namespace {

constexpr int kThreads = 128;

// A block a row, a thread a pair: all heads turn by the same angle.
__global__ void __launch_bounds__(kThreads) rope(const Rope p) {
  constexpr double kHalfTurnsPerRadian = 0.31830988618379067;
  float* row = p.x + static_cast<int64_t>(blockIdx.x) * p.n_heads * p.head_dim;
  const int n_pairs = p.n_rotated / 2;
  for (int i = static_cast<int>(threadIdx.x); i < n_pairs; i += kThreads) {
    // Whole turns are taken off in double: position · frequency as f32 has lost the angle at a few ten thousand tokens.
    const double half_turns = static_cast<double>(p.positions[blockIdx.x]) *
                              static_cast<double>(p.inverse_frequencies[i]) * kHalfTurnsPerRadian;
    float sine, cosine;
    sincospif(static_cast<float>(half_turns - 2 * rint(half_turns / 2)), &sine, &cosine);
    const int first = p.pairs == RopePairs::halves ? i : 2 * i;
    const int second = p.pairs == RopePairs::halves ? i + n_pairs : 2 * i + 1;
    for (int h = 0; h < p.n_heads; ++h) {
      float* head = row + h * p.head_dim;
      const float a = head[first], b = head[second];
      head[first] = a * cosine - b * sine;
      head[second] = a * sine + b * cosine;
    }
  }
}

}  // namespace

void launch_rope(const Rope& p, Stream stream) { launch(rope, {{p.n_rows}, kThreads, 0, stream}, p); }

}  // namespace ferry::cuda
