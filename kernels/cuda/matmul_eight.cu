#include "kernels/cuda/matmul_kernel.h"

namespace ferry::cuda {

void launch_matmul_eight(const MatmulTask& task, Stream stream) { launch_matmul_of<Codes::eight>(task, stream); }

}  // namespace ferry::cuda
