#pragma once
// Which kernels multiply. Few rows: our own (matmul_kernel.h), for which the bytes of the weights are the bound. Many
// rows, rounded to bf16: cuBLASLt, on weights that are dequantized into scratch memory part by part; our own where it
// is not there, and for exact products.

#include <optional>
#include <span>

#include "core/seam/device.h"
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/dense_products.h"
#include "kernels/cuda/planar_weight.h"
#include "kernels/cuda/x_terms.h"

namespace ferry::cuda {

class Multiplier {
 public:
  // The device outlives it. Half of the scratch memory is for terms of x, half for dequantized weights; it is taken as
  // weights are announced, and where it is too small for all rows of x or of a weight, they come part by part.
  Multiplier(const CudaSettings& settings, Device& device, Stream stream);

  void announce(const WeightView& w);  // at load: it will be multiplied with

  void multiply(std::span<const Matmul> products);  // of one x; launches, and allocates nothing

  // Where whoever makes their x puts its terms, before `multiply_terms`; nullopt where they are not asked for, or not
  // all at once.
  struct XForms {
    XRows rows;
    XTerms terms;
  };
  std::optional<XForms> room_for_terms(std::span<const Matmul> products) const;
  void multiply_terms(std::span<const Matmul> products, const XForms& x);

 private:
  struct Rows {  // of x
    int begin = 0, end = 0;
  };

  void multiply_rows(std::span<const Matmul> products, const Rows& rows);
  void multiply_split(std::span<const Matmul> products, const Rows& rows, const XForms& x);
  XForms forms_of(const Matmul& product, const Rows& rows) const;
  int rows_that_fit(const WeightView& w) const;  // of their terms
  bool takes_terms(const Matmul& product) const;
  void multiply_alike(std::span<const Matmul> products, const Rows& rows, const XForms& x);
  bool multiply_dense(const Matmul& product, const Rows& rows, const XForms& x);

  Device& device_;
  const Stream stream_;
  const int n_terms_;
  const size_t half_bytes_;  // of the scratch memory
  const size_t shared_bytes_;
  DenseProducts dense_;
  DeviceArray<uint16_t> terms_;
  DeviceArray<uint32_t> sums_;
  DeviceArray<uint16_t> dequantized_;
  DeviceArray<float> partial_;       // of ranges of columns
  DeviceArray<uint32_t> n_arrived_;  // of ranges
};

}  // namespace ferry::cuda
