#pragma once
// Products of matrices of bf16 by NVIDIA's cuBLASLt, for many rows. It is loaded when the program runs, where there is
// one: nvcc/dense_products.cc; host/dense_products.cc multiplies on this CPU, for tests.

#include <memory>

#include "core/seam/device.h"
#include "kernels/cuda/runtime.h"

namespace ferry::cuda {

struct DenseProduct {           // y = x · wᵀ, sums in f32
  const uint16_t* w = nullptr;  // bf16 [n_out][n_columns]
  const uint16_t* x = nullptr;  // bf16 [n_rows][x_stride]
  float* y = nullptr;           // [n_rows][y_stride]
  int n_out = 0;
  int n_rows = 0;
  int n_columns = 0;
  int x_stride = 0;
  int y_stride = 0;
};

class DenseProducts {
 public:
  // The device outlives it.
  DenseProducts(Device& device, Stream stream);
  ~DenseProducts();
  DenseProducts(const DenseProducts&) = delete;
  DenseProducts& operator=(const DenseProducts&) = delete;

  bool are_there() const { return library_ != nullptr; }

  // Launches it. False where there is no library, or it has nothing for these sizes: nothing was launched.
  bool multiply(const DenseProduct& product);

 private:
  class Library;
  std::unique_ptr<Library> library_;
};

}  // namespace ferry::cuda
