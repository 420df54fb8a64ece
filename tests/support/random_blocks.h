#pragma once
// Random tensor data of any format.

#include <cstddef>
#include <random>
#include <vector>

#include "core/model/tensor.h"

namespace ferry {

// Blocks for n_values values (a multiple of the format's block) around zero, with about the given standard deviation.
std::vector<std::byte> random_blocks(TensorType type, size_t n_values, float deviation, std::mt19937_64& random);

}  // namespace ferry
