#pragma once
// What a card can do at most: the roof that a benchmark holds its figures against, measured in the same run.

#include "core/seam/device.h"

namespace ferry {

struct CardLimits {
  double product_tflop_s = 0;  // cuBLASLt, bf16 in, f32 sums, a square of 8192 of random values; 0: it is not there
  double read_gb_s = 0;        // a sum over 1 GiB
};

// Of a device of make_cuda_ops(), with nothing else under way. Takes 1.5 GiB of the card for a tenth of a second.
CardLimits measure_card_limits(Device& card);

}  // namespace ferry
