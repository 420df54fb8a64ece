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
      // And for the many rows of a product and all of its weights, and for parts of them.
      const size_t product_bytes = seed == 1 ? size_t{8} << 20 : size_t{64} << 10;
      const auto make = [=] {
        emulator::shuffle_threads(seed);
        return make_cuda_ops(
            {.products = products, .product_scratch_bytes = product_bytes, .attention_scratch_bytes = scratch_bytes});
      };
      all.push_back(
          {.name = str("cuda host ", products == Products::f32 ? "f32" : "bf16", " threads ", seed), .make = make});
      if (products == Products::bf16) {
        // A bf16 is off by up to 2⁻⁹ of its value; a product has two such factors, where weights are rounded, too.
        all.back().product_tolerance = 0x1p-8 + 1e-6;
        all.back().most_rows_alike = 64;
        all.back().rounds_attention = true;
      }
    }
  }
  return all;
}

}  // namespace ferry
