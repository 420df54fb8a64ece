#include "kernels/cuda/matmul_kernel.h"

namespace ferry::cuda {

template int launch_matmul_of<TensorType::q5_0>(const MatmulTask&, const MatmulRoom&, Stream);
template int launch_matmul_of<TensorType::q5_1>(const MatmulTask&, const MatmulRoom&, Stream);
template int launch_matmul_of<TensorType::q5_k>(const MatmulTask&, const MatmulRoom&, Stream);

}  // namespace ferry::cuda
