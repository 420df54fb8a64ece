// In builds without nccl.h.

#include "core/base/error.h"
#include "parallel/cuda/nccl_reducer.h"

namespace ferry {

void CloseNccl::operator()(NcclLibrary*) const noexcept {}
OwnNccl load_nccl(const std::string&) { throw Error("this build of Ferry knows no NCCL"); }
std::string nccl_version(const NcclLibrary&) { return "no NCCL"; }
std::unique_ptr<Reducer> make_nccl_reducer(OwnNccl, Communicator&, const NcclSettings&) {
  throw Error("this build of Ferry knows no NCCL");
}

}  // namespace ferry
