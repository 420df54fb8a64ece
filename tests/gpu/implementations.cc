// What the contract suites run over in gpu_tests: this machine's card, with and without room to share spans out.

#include "tests/kernels/implementations.h"

#include "core/base/error.h"
#include "kernels/cuda/cuda_ops.h"
#include "tests/gpu/host_memory_ops.h"

namespace ferry {

std::vector<Implementation> implementations() {
  std::vector<Implementation> all;
  for (const size_t scratch_bytes : {size_t{64} << 20, size_t{0}}) {
    const auto make = [=] { return make_host_memory_ops(make_cuda_ops({.attention_scratch_bytes = scratch_bytes})); };
    all.push_back({str("card with ", scratch_bytes >> 20, " MiB to share spans out"), make, why_no_cuda()});
  }
  return all;
}

}  // namespace ferry
