#pragma once
// Ops on the vectors of this CPU, chosen at run time, by a pool of threads. Weights are packed at prepare() into about
// as many bytes as in the file; arithmetic is exact: dequantized weights as the file's format defines them, f32
// activations, f32 multiply-adds.
//
// A row's results do not depend on the rows beside it, on the number of threads, or on where its chunk of the prompt
// began: not in a single bit. They do depend, within f32 rounding, on the SimdLevel.

#include <memory>
#include <optional>
#include <string_view>

#include "core/seam/ops.h"
#include "kernels/cpu/kernel_set.h"

namespace ferry {

enum class SimdLevel : uint8_t { portable, avx2, avx512 };

constexpr std::string_view name_of(SimdLevel level) {
  return level == SimdLevel::portable ? "portable" : level == SimdLevel::avx2 ? "avx2" : "avx512";
}

bool cpu_has(SimdLevel level);
SimdLevel best_simd_level();
KernelSet kernels_of(SimdLevel level);  // that this CPU has

std::unique_ptr<Ops> make_cpu_ops(int n_threads, SimdLevel level = best_simd_level());
std::unique_ptr<Ops> make_cpu_ops(int n_threads, const KernelSet& kernels);  // for tests of other widths

}  // namespace ferry
