#include "kernels/cuda/matmul_kernel.h"

namespace ferry::cuda {

void launch_matmul_f32(const MatmulTask& task, Stream stream) { launch_matmul_of<Codes::f32>(task, stream); }

}  // namespace ferry::cuda
