// What the contract suites run over in kernels_tests.

#include "tests/kernels/implementations.h"

#include "core/base/error.h"
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/reference_ops.h"

namespace ferry {

KernelSet sixteen_lane_kernels();  // portable: in lanes_test.cc

std::vector<Implementation> implementations() {
  std::vector<Implementation> all = {{"reference", make_reference_ops, ""}};
  for (const SimdLevel level : {SimdLevel::portable, SimdLevel::avx2, SimdLevel::avx512}) {
    for (const int n_threads : {1, 3}) {
      const std::string name = str("cpu ", name_of(level), " ", n_threads, n_threads == 1 ? " thread" : " threads");
      all.push_back({name, [=] { return make_cpu_ops(n_threads, level); }, cpu_has(level) ? "" : "this CPU lacks it"});
    }
  }
  all.push_back({"cpu portable 16 lanes", [] { return make_cpu_ops(2, sixteen_lane_kernels()); }, ""});
  return all;
}

}  // namespace ferry
