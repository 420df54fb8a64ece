#include "kernels/cuda/matmul_kernel.h"

namespace ferry::cuda {

template int launch_matmul_of<TensorType::f32>(const MatmulTask&, const MatmulRoom&, Stream);

}  // namespace ferry::cuda
