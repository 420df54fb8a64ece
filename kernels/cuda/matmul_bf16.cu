#include "kernels/cuda/matmul_kernel.h"

namespace ferry::cuda {

void launch_matmul_bf16(const MatmulTask& task, Stream stream) { launch_matmul_of<Codes::bf16>(task, stream); }

}  // namespace ferry::cuda
