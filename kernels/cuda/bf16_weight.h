#pragma once
// A matrix of any format made bf16, once, by the card: many rows are multiplied with it without dequantizing each time.

#include <memory>

#include "kernels/cuda/planar_weight.h"
#include "kernels/cuda/runtime.h"

namespace ferry::cuda {

// The device outlives it. Rows pass through the card's memory as the file has them, at most `part_bytes` of them or 16
// rows at a time; of that nothing is left at return.
std::unique_ptr<PlanarWeight> bf16_weight(const MatrixSlice& slice, size_t part_bytes, Device& device, Stream stream);

}  // namespace ferry::cuda
