#include "kernels/cuda/matmul_kernel.h"

namespace ferry::cuda {

template void launch_matmul_of<Codes::six>(const MatmulTask& task, Stream stream);

}  // namespace ferry::cuda
