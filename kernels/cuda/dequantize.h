#pragma once
// Weights as plain bf16, a part at a time.

#include "kernels/cuda/planar_weight.h"
#include "kernels/cuda/runtime.h"

namespace ferry::cuda {

struct Dequantize {
  WeightView w;
  int first_row = 0;  // of a tile
  int n_rows = 0;
  uint16_t* to = nullptr;  // bf16 [n_rows, up to whole tiles][all columns of all steps], in lanes' order
};

void launch_dequantize(const Dequantize& p, Stream stream);

}  // namespace ferry::cuda
