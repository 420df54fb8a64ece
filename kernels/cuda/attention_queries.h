#pragma once
// Which queries of a batch a block of attention has: those of some rows that read the same KV head (GQA), so that each
// key and value is read once for all of them.

#include "core/seam/ops.h"
#include "kernels/cuda/kv_pages.h"
#include "kernels/cuda/language.h"

namespace ferry::cuda {

constexpr float kMasked = -INFINITY;
constexpr float kLog2OfE = 1.44269504f;

struct QueryBlock {
  int sequence = 0;
  int row_begin = 0;
  int n_rows = 0;
  int kv_head = 0;
  int head_begin = 0;
  int n_heads = 0;
  int first = 0;  // of the rows' queries; more than a block holds are taken by turns
  int n_queries = 0;
  int end_token = 0;  // no query sees that or a later one

  __device__ int row(int query) const { return row_begin + (first + query) / n_heads; }
  __device__ int head(int query) const { return head_begin + (first + query) % n_heads; }
};

// How the rows of a batch are shared out over blocks: they are numbered so that sequence s begins at block
// row_begin[s] / rows_at_once + s. Room for all, without a sum over sequences; some have nothing to do.
struct RowShares {
  int rows_at_once = 1;
  bool single_rows = true;  // sequences of one row are among them

  int n_blocks(const BatchView& batch) const { return batch.n_rows / rows_at_once + batch.n_sequences; }
};

// Whether a batch may have sequences of several rows, and of one: as far as the host knows.
inline bool has_rows_of_prompts(const BatchView& batch) { return batch.most_rows > 1 && batch.n_rows > 1; }
inline bool has_single_rows(const BatchView& batch) { return batch.n_sequences > 1 || batch.n_rows == 1; }

// False: block `number` has nothing to do.
__device__ inline bool find_rows(const BatchView& batch, const RowShares& shares, int number, QueryBlock& block) {
  const int at_once = shares.rows_at_once;
  const auto begin_of = [&](int s) { return batch.row_begin[s] / at_once + s; };
  const int s = last_not_after(number, batch.n_sequences, begin_of);
  const int end = batch.row_begin[s + 1], n_of_sequence = end - batch.row_begin[s];
  block.sequence = s;
  block.row_begin = batch.row_begin[s] + (number - begin_of(s)) * at_once;
  block.n_rows = min(at_once, end - block.row_begin);
  return block.n_rows > 0 && (n_of_sequence > 1 || shares.single_rows);
}

// The heads that read a KV head: kv_head_of ascends. All lanes of a warp together.
__device__ inline void find_heads(const Attention& p, int kv_head, QueryBlock& block) {
  const int lane = static_cast<int>(threadIdx.x % kWarp);
  block.kv_head = kv_head;
  block.head_begin = block.n_heads = 0;
  for (int first = 0; first < p.n_q_heads; first += kWarp) {
    const int read = first + lane < p.n_q_heads ? p.kv_head_of[first + lane] : kv_head + 1;
    block.head_begin += __popc(__ballot_sync(kAllLanes, read < kv_head));
    block.n_heads += __popc(__ballot_sync(kAllLanes, read == kv_head));
  }
}

// f() with up to `kAtOnce` queries at a time of the block's rows.
template <int kAtOnce, class F>
__device__ inline void by_turns(const Attention& p, QueryBlock& block, const F& f) {
  const int n_queries = block.n_rows * block.n_heads;
  for (; block.first < n_queries; block.first += kAtOnce) {
    block.n_queries = min(kAtOnce, n_queries - block.first);
    block.end_token = p.batch.positions[block.row(block.n_queries - 1)] + 1;
    __syncthreads();  // all are done with the queries before
    f();
  }
}

}  // namespace ferry::cuda
