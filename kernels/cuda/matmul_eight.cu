#include "kernels/cuda/matmul_kernel.h"

namespace ferry::cuda {

template void launch_matmul_of<Codes::eight>(const MatmulTask& task, Stream stream);

}  // namespace ferry::cuda
