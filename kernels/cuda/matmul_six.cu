#include "kernels/cuda/matmul_kernel.h"

namespace ferry::cuda {

template int launch_matmul_of<TensorType::q6_k>(const MatmulTask&, const MatmulRoom&, Stream);

}  // namespace ferry::cuda
