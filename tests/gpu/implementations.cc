// What the contract suites run over in gpu_tests: this machine's card, with both ways of products, with and without
// room for scratch.

#include "tests/kernels/implementations.h"

#include "core/base/error.h"
#include "kernels/cuda/cuda_ops.h"
#include "tests/gpu/host_memory_ops.h"

namespace ferry {

std::vector<Implementation> implementations() {
  std::vector<Implementation> all;
  for (const size_t scratch_bytes : {size_t{64} << 20, size_t{0}}) {
    for (const Products products : {Products::f32, Products::bf16}) {
      const size_t product_bytes = scratch_bytes > 0 ? size_t{256} << 20 : size_t{1} << 20;
      const auto make = [=] {
        return make_host_memory_ops(make_cuda_ops(
            {.products = products, .product_scratch_bytes = product_bytes, .attention_scratch_bytes = scratch_bytes}));
      };
      const bool is_exact = products == Products::f32;
      all.push_back({.name = str("card ", is_exact ? "f32" : "bf16", scratch_bytes > 0 ? "" : " without scratch"),
                     .make = make,
                     .missing = why_no_cuda()});
      if (is_exact) {
        // The tensor cores cut off what is 2⁻²⁴ of the largest of the numbers that they add at once.
        all.back().product_tolerance = 2e-6;
      } else {
        // A bf16 is off by up to 2⁻⁹ of its value; a product has two such factors, where weights are rounded, too.
        all.back().product_tolerance = 0x1p-8 + 2e-6;
        all.back().most_rows_alike = 64;
        all.back().rounds_attention = true;
      }
    }
  }
  return all;
}

}  // namespace ferry
