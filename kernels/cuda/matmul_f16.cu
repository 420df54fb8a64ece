#include "kernels/cuda/matmul_kernel.h"

namespace ferry::cuda {

void launch_matmul_f16(const MatmulTask& task, Stream stream) { launch_matmul_of<Codes::f16>(task, stream); }

}  // namespace ferry::cuda
