// In builds without the CUDA compiler.

#include "core/base/error.h"
#include "kernels/cuda/card_limits.h"
#include "kernels/cuda/cuda_ops.h"

namespace ferry {

std::string cuda_build() { return "no CUDA"; }
std::string why_no_cuda() { return "this build of Ferry has no CUDA backend"; }
int n_cuda_cards() { return 0; }
CudaCard cuda_card(int) { throw Error(why_no_cuda()); }
std::string why_not_pinned(int, size_t) { throw Error(why_no_cuda()); }
CardLimits measure_card_limits(Device&) { throw Error(why_no_cuda()); }
std::unique_ptr<Ops> make_cuda_ops(const CudaSettings&) {
  throw Error(str("compute: cuda: ", why_no_cuda(), ". Use compute: cpu"));
}

}  // namespace ferry
