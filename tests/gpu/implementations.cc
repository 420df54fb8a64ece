// What the contract suites run over in gpu_tests: this machine's card, with and without room to share spans out.

#include "tests/kernels/implementations.h"

#include "core/base/error.h"
#include "kernels/cuda/cuda_ops.h"
#include "tests/gpu/host_memory_ops.h"

namespace ferry {

std::vector<Implementation> implementations() {
  std::vector<Implementation> all;
  for (const Products products : {Products::f32, Products::bf16}) {
    for (const size_t scratch_bytes : {size_t{64} << 20, size_t{0}}) {
      const auto make = [=] {
        return make_host_memory_ops(make_cuda_ops({.products = products, .attention_scratch_bytes = scratch_bytes}));
      };
      all.push_back({.name = str("card ", products == Products::f32 ? "f32" : "bf16", " with ", scratch_bytes >> 20,
                                 " MiB to share spans out"),
                     .make = make,
                     .missing = why_no_cuda()});
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
