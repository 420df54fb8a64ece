#pragma once
// How the keys of sequences of one row are shared out: in spans, whose length depends on that of the sequence alone, so
// that what a row gets does not depend on its neighbours. There are at most `most_spans` of a sequence, enough to fill
// a card with one of them, and they are as long as they can be for that: each costs a partial result.

#include "kernels/cuda/attention_tiles.h"
#include "kernels/cuda/warp.h"

namespace ferry::cuda {

constexpr int kLeastSpanTokens = 256;  // but for rounding: the last is shorter, and two share what is just more
constexpr int kSpanStep = 64;          // tokens that a block takes at once
constexpr int kBlocksWanted = 264;     // of one sequence: two for each multiprocessor of an H100
constexpr int kLeastMostSpans = 16;    // of a sequence and KV head, however many heads there are

struct SpanSize {
  int n = 0;
  int tokens = 1;
};

__device__ inline SpanSize spans_of(int n_tokens, int most_spans) {
  if (n_tokens <= 0) return {};
  const int n = min(most_spans, (n_tokens + kLeastSpanTokens - 1) / kLeastSpanTokens);
  const int tokens = ((n_tokens + n - 1) / n + kSpanStep - 1) / kSpanStep * kSpanStep;
  return {(n_tokens + tokens - 1) / tokens, tokens};
}

struct DecodeTask {
  Attention p;
  KeyPlaces places;
  // Of the spans, as they are numbered: room for all that may be.
  float* sums = nullptr;    // [span][query head][head_dim]
  float* scales = nullptr;  // [span][query head][2]: what weights are relative to, and their total
  int most_spans = 1;       // of a sequence
  int n_blocks = 1;         // they take the spans of all KV heads by turns
  int first_sequence = 0;   // spans are numbered from this one's on
  int end_sequence = 0;
  bool one_row_each = false;  // all sequences have one row
};

struct Span {
  int row = 0;
  int page_begin = 0;
  int begin = 0, end = 0;  // tokens
  int n_of_sequence = 0;
};

// Goes through the sequences, 32 at a time, one a lane; all lanes of a warp together.
class SpanWalk {
 public:
  __device__ explicit SpanWalk(const DecodeTask& task) : task_(task), first_(task.first_sequence) { look(); }

  // Blocks that have as many spans as one another, but for one: the same number of turns with as few of them as can be.
  __device__ int even_blocks(int n_blocks, int n_heads) const {
    SpanWalk rest = *this;
    while (rest.first_ + kWarp < task_.end_sequence) rest.go_on();
    const int n_items = (rest.n_before_ + rest.n_of_32()) * n_heads;
    const int n_turns = max(1, (n_items + n_blocks - 1) / n_blocks);
    return (n_items + n_turns - 1) / n_turns;
  }

  // Span `number`; numbers ascend from call to call. False: there are not so many.
  __device__ bool find(int number, Span& span) {
    while (number >= n_before_ + n_of_32()) {
      if (first_ + kWarp >= task_.end_sequence) return false;
      go_on();
    }
    const int lane = __ffs(__ballot_sync(kAllLanes, n_before_ + n_with_earlier_ > number)) - 1;
    const int n_tokens = __shfl_sync(kAllLanes, n_tokens_, lane);
    const SpanSize spans = spans_of(n_tokens, task_.most_spans);
    const int index = number - n_before_ - __shfl_sync(kAllLanes, n_with_earlier_, lane) + spans.n;
    span.row = __shfl_sync(kAllLanes, row_, lane);
    span.page_begin = __shfl_sync(kAllLanes, page_begin_, lane);
    span.begin = index * spans.tokens;
    span.end = min(n_tokens, span.begin + spans.tokens);
    span.n_of_sequence = spans.n;
    return true;
  }

  struct Place {
    int row = 0;
    int first_span = 0;
    int n_spans = 0;
    bool is_single = false;  // the sequence has one row
  };
  __device__ Place place_of(int sequence) {
    while (sequence >= first_ + kWarp) go_on();
    const int lane = sequence - first_, n = spans_of(n_tokens_, task_.most_spans).n;
    return {__shfl_sync(kAllLanes, row_, lane), __shfl_sync(kAllLanes, n_before_ + n_with_earlier_ - n, lane),
            __shfl_sync(kAllLanes, n, lane), __shfl_sync(kAllLanes, n_tokens_, lane) >= 0};
  }

 private:
  __device__ int n_of_32() const { return __shfl_sync(kAllLanes, n_with_earlier_, kWarp - 1); }
  __device__ void go_on() {
    n_before_ += n_of_32();
    first_ += kWarp;
    look();
  }
  __device__ void look() {
    const BatchView& batch = task_.p.batch;
    const int lane = static_cast<int>(threadIdx.x % kWarp), s = first_ + lane;
    row_ = s;
    n_tokens_ = -1;
    if (s < task_.end_sequence) {
      page_begin_ = batch.page_begin[s];
      if (!task_.one_row_each) row_ = batch.row_begin[s];
      if (task_.one_row_each || batch.row_begin[s + 1] - row_ == 1) n_tokens_ = batch.positions[row_] + 1;
    }
    n_with_earlier_ = spans_of(n_tokens_, task_.most_spans).n;
#pragma unroll
    for (int distance = 1; distance < kWarp; distance *= 2) {
      const int earlier = __shfl_sync(kAllLanes, n_with_earlier_, max(lane - distance, 0));
      if (lane >= distance) n_with_earlier_ += earlier;
    }
  }

  const DecodeTask& task_;
  int first_ = 0;     // sequence of lane 0
  int n_before_ = 0;  // spans of the sequences before it
  // The lane's sequence.
  int row_ = 0;
  int page_begin_ = 0;
  int n_tokens_ = -1;  // that its row sees; -1: it has not one row
  int n_with_earlier_ = 0;
};

}  // namespace ferry::cuda
