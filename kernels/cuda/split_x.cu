// Rows of x, split into terms: as they are, or as an activation makes them, which then nobody writes as f32.

#include "core/base/check.h"
#include "kernels/cuda/activation.h"
#include "kernels/cuda/language.h"
#include "kernels/cuda/put_terms.h"
#include "kernels/cuda/x_values.h"

namespace ferry::cuda {
namespace {

constexpr int kThreads = 128;

__device__ __forceinline__ int eighth_of_row() {
  return static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
}

template <int kXTerms>
__global__ void __launch_bounds__(kThreads) split_x(const SplitX p) {
  let_next_begin();
  wait_for_previous();
  const int row = static_cast<int>(blockIdx.y);
  put_eights<kXTerms>(p.to, row, eighth_of_row(), [&](int column) { return four_of_x(p.from, row, column); });
}

// Reads 8 bytes a value.
template <int kXTerms>
__global__ void __launch_bounds__(kThreads) split_activation(const SplitActivation p) {
  let_next_begin();
  wait_for_previous();
  const int row = static_cast<int>(blockIdx.y);
  put_eights<kXTerms>(p.to, row, eighth_of_row(), [&](int column) {
    const float4 gate = four_of_x(p.gate, row, column), up = four_of_x(p.up, row, column);
    return make_float4(activated(gate.x, p.activation) * up.x, activated(gate.y, p.activation) * up.y,
                       activated(gate.z, p.activation) * up.z, activated(gate.w, p.activation) * up.w);
  });
}

LaunchShape shape_for(const XTerms& to, int n_rows, Stream stream) {
  return {{parts_of(to.n_columns, kThreads * 8), n_rows}, kThreads, 0, stream};
}

}  // namespace

void launch_split_x(const SplitX& p, Stream stream) {
  launch_early(p.to.n_terms == 1 ? split_x<1> : split_x<kTerms>, shape_for(p.to, p.from.n_rows, stream), p);
}

void launch_split_activation(const SplitActivation& p, Stream stream) {
  launch_early(p.to.n_terms == 1 ? split_activation<1> : split_activation<kTerms>,
               shape_for(p.to, p.gate.n_rows, stream), p);
}

}  // namespace ferry::cuda
