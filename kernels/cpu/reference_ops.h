#pragma once
// What each operation means, as plain loops over f32 values with sums in double. Weights are dequantized a row at a
// time, straight from the mapped file. Every other implementation is held against this one.

#include <memory>

#include "core/seam/ops.h"

namespace ferry {

std::unique_ptr<Ops> make_reference_ops();

}  // namespace ferry
