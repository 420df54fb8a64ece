#include "kernels/cuda/matmul_kernel.h"

namespace ferry::cuda {

void launch_matmul_five(const MatmulTask& task, Stream stream) { launch_matmul_of<Codes::five>(task, stream); }

}  // namespace ferry::cuda
