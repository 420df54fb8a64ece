// What the contract suites run over in cuda_host_tests: each order of threads is one more implementation.

#include "tests/kernels/implementations.h"

#include "core/base/error.h"
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/host/emulator.h"

namespace ferry {

std::vector<Implementation> implementations() {
  std::vector<Implementation> all;
  for (const uint64_t seed : {1, 2}) {
    for (const Products products : {Products::f32, Products::bf16}) {
      // Room for the spans of every test, and for none.
      const size_t scratch_bytes = seed == 1 ? size_t{8} << 20 : 0;
      const auto make = [=] {
        emulator::shuffle_threads(seed);
        return make_cuda_ops({.products = products, .attention_scratch_bytes = scratch_bytes});
      };
      // A bf16 is off by up to 2⁻⁹ of its value; a product has two such factors, where weights are rounded too.
      constexpr double kOfRoundedFactors = 0x1p-8 + 1e-6;
      const bool is_exact = products == Products::f32;
      all.push_back({str("cuda host ", is_exact ? "f32" : "bf16", " threads ", seed), make, "",
                     is_exact ? 1e-6 : kOfRoundedFactors});
    }
  }
  return all;
}

}  // namespace ferry
