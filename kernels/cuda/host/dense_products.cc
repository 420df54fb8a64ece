// The products of cuBLASLt as plain loops.

#include "kernels/cuda/dense_products.h"

#include "core/base/half.h"
#include "kernels/cuda/host/recorder.h"

namespace ferry::cuda {

class DenseProducts::Library {
 public:
  Stream stream;
};

DenseProducts::DenseProducts(Device&, Stream stream) : library_(std::make_unique<Library>(Library{stream})) {}
DenseProducts::~DenseProducts() = default;

namespace {

void multiply_plainly(const DenseProduct& p) {
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
}

}  // namespace

bool DenseProducts::multiply(const DenseProduct& p) {
  emulator::do_or_record(library_->stream, [=] { multiply_plainly(p); });
  return true;
}

}  // namespace ferry::cuda
