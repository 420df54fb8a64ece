// What the contract suites run over in cuda_host_tests: each order of threads is one more implementation.

#include "tests/kernels/implementations.h"

#include "core/base/error.h"
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/host/emulator.h"

namespace ferry {

std::vector<Implementation> implementations() {
  std::vector<Implementation> all;
  for (const uint64_t seed : {1, 2}) {
    // Room for the spans of every test, and for none.
    const size_t scratch_bytes = seed == 1 ? size_t{8} << 20 : 0;
    const auto make = [=] {
      emulator::shuffle_threads(seed);
      return make_cuda_ops({.attention_scratch_bytes = scratch_bytes});
    };
    all.push_back({str("cuda host threads ", seed), make, ""});
  }
  return all;
}

}  // namespace ferry
