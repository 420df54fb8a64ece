// The products of cuBLASLt as plain loops.

#include "kernels/cuda/dense_products.h"

#include "core/base/half.h"

namespace ferry::cuda {

class DenseProducts::Library {};

DenseProducts::DenseProducts(Device&, Stream) : library_(std::make_unique<Library>()) {}
DenseProducts::~DenseProducts() = default;

bool DenseProducts::multiply(const DenseProduct& p) {
  for (int64_t row = 0; row < p.n_rows; ++row) {
    for (int64_t out = 0; out < p.n_out; ++out) {
      double sum = 0;
      for (int64_t i = 0; i < p.n_columns; ++i) {
        sum += static_cast<double>(f32_of_bf16(p.x[row * p.x_stride + i])) *
               static_cast<double>(f32_of_bf16(p.w[out * p.n_columns + i]));
      }
      p.y[row * p.y_stride + out] = static_cast<float>(sum);
    }
  }
  return true;
}

}  // namespace ferry::cuda
