#include "kernels/cuda/matmul_kernel.h"

namespace ferry::cuda {

template void launch_matmul_of<Codes::bf16>(const MatmulTask& task, Stream stream);

}  // namespace ferry::cuda
