#include "kernels/cuda/matmul_kernel.h"

namespace ferry::cuda {

void launch_matmul_six(const MatmulTask& task, Stream stream) { launch_matmul_of<Codes::six>(task, stream); }

}  // namespace ferry::cuda
