#include "kernels/cuda/matmul_kernel.h"

namespace ferry::cuda {

void launch_matmul_four(const MatmulTask& task, Stream stream) { launch_matmul_of<Codes::four>(task, stream); }

}  // namespace ferry::cuda
