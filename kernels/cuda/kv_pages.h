#pragma once
// Where a batch's keys and values lie, for kernels.

#include <bit>

#include "core/seam/ops.h"
#include "kernels/cuda/language.h"

namespace ferry::cuda {

// The last i in 0 … n − 1 with begin(i) ≤ x; begin ascends and begin(0) ≤ x.
template <class Begin>
__device__ inline int last_not_after(int x, int n, const Begin& begin) {
  int low = 0, high = n;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (begin(middle) <= x ? low : high) = middle;
  }
  return low;
}

// Whose row it is. Empty sequences begin where the next one does: the last that begins here has the row.
__device__ inline int sequence_of(int row, const BatchView& batch) {
  if (batch.most_rows == 1 && batch.n_sequences == batch.n_rows) return row;  // a row each: nothing to search
  return last_not_after(row, batch.n_sequences, [&](int s) { return batch.row_begin[s]; });
}

// Division of what is below 2³¹ by a number that the host knows, as a product.
struct Divisor {
  uint32_t multiplier = 0;
  int shift = 0;

  __device__ int quotient(int n) const {
    return static_cast<int>(static_cast<uint64_t>(static_cast<uint32_t>(n)) * multiplier >> shift);
  }
};
inline Divisor divisor_of(int divisor) {
  const int bits = std::bit_width(static_cast<uint32_t>(divisor) - 1), shift = 31 + bits;
  return {static_cast<uint32_t>(((uint64_t{1} << shift) + static_cast<uint32_t>(divisor) - 1) /
                                static_cast<uint32_t>(divisor)),
          shift};
}

// Keys of one token and head; its values lie KvLayer::v_bytes further.
__device__ inline std::byte* keys_at(const KvLayer& kv, const BatchView& batch, int sequence, int token, int head) {
  const int page = batch.pages[batch.page_begin[sequence] + token / kv.page_tokens];
  return kv.base + static_cast<size_t>(page) * kv.page_bytes + static_cast<size_t>(head) * kv.head_bytes +
         static_cast<size_t>(token % kv.page_tokens) * kv.token_bytes;
}

}  // namespace ferry::cuda
