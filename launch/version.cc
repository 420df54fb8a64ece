#include "launch/version.h"

#include "core/base/error.h"
#include "kernels/cuda/cuda_ops.h"
#include "parallel/mpi_library.h"
#include "transport/ucx/ucx_info.h"

namespace ferry {

std::string version() { return FERRY_VERSION; }

std::string build_summary() { return str("UCX ", ucx_version(), ", ", mpi_library(), ", ", cuda_build()); }

}  // namespace ferry
