#pragma once
// Attention of a block of queries over the pages, by blocks of keys: scores and weighted sums are tile products, so a
// chunk of a prompt is compute-bound, and a single token reads each key and value once for all heads that share them.
// The softmax is kept up to date from block to block: each row remembers its largest score and its total weight.

#include "kernels/cpu/kernel_set.h"
#include "kernels/cpu/lanes_math.h"
#include "kernels/cpu/tile_product.h"

namespace ferry {
namespace {

template <class L>
class AttentionKernel {
 public:
  static void attention(const AttentionTask& task, AttentionScratch& scratch) { AttentionKernel(task, scratch).run(); }

 private:
  using Floats = typename L::Floats;
  static constexpr int kLanes = L::kCount;
  static_assert(kBlockTokens % kLanes == 0);

  AttentionKernel(const AttentionTask& task, AttentionScratch& scratch)
      : p_(*task.p),
        kv_(task.p->kv),
        task_(task),
        scratch_(scratch),
        n_heads_(task.q_head_end - task.q_head_begin),
        n_queries_((task.row_end - task.row_begin) * n_heads_),
        width_((task.p->kv.head_dim + kLanes - 1) / kLanes * kLanes) {}

  void run() {
    take_queries();
    const int n_tokens = position_of(n_queries_ - 1) + 1;
    for (int begin = 0; begin < n_tokens; begin += kBlockTokens) {
      const int n = n_tokens - begin < kBlockTokens ? n_tokens - begin : kBlockTokens;
      load_keys(begin, n);
      score_block(n);
      for (int i = 0; i < n_queries_; ++i) weigh(i, position_of(i) + 1 - begin);
      add_values(begin, n);
    }
    give_results();
  }

  // Query i is head i % n_heads_ of row i / n_heads_.
  int position_of(int i) const { return p_.batch.positions[task_.row_begin + i / n_heads_]; }
  int64_t place_of(int i) const {
    const int64_t row = task_.row_begin + i / n_heads_;
    return (row * p_.n_q_heads + task_.q_head_begin + i % n_heads_) * kv_.head_dim;
  }

  void take_queries() {
    for (int i = 0; i < n_queries_; ++i) {
      __builtin_memcpy(scratch_.q + i * kv_.head_dim, p_.q + place_of(i),
                       static_cast<size_t>(kv_.head_dim) * sizeof(float));
      scratch_.largest[i] = -__builtin_inff();
      scratch_.total[i] = 0;
    }
    for (int i = 0; i < n_queries_ * width_; ++i) scratch_.out[i] = 0;
  }

  const std::byte* keys_at(int token) const {
    const int page = p_.batch.pages[p_.batch.page_begin[task_.sequence] + token / kv_.page_tokens];
    const int head = p_.kv_head_of[task_.q_head_begin];
    return kv_.base + static_cast<size_t>(page) * kv_.page_bytes + static_cast<size_t>(head) * kv_.head_bytes +
           static_cast<size_t>(token % kv_.page_tokens) * kv_.token_bytes;
  }

  [[gnu::always_inline]] Floats load_element(const std::byte* values, int i) const {
    if (kv_.dtype == KvDtype::f32) return L::load(reinterpret_cast<const float*>(values) + i);
    return kv_.dtype == KvDtype::f16 ? L::load_f16(values + 2 * i) : L::load_bf16(values + 2 * i);
  }
  // The last values of a head that does not fill whole vectors; the rest are zeros.
  [[gnu::always_inline]] Floats load_last(const std::byte* values, int i, int count) const {
    const size_t bytes = kv_.dtype == KvDtype::f32 ? 4 : 2;
    alignas(64) std::byte whole[4 * kLanes] = {};
    __builtin_memcpy(whole, values + static_cast<size_t>(i) * bytes, static_cast<size_t>(count) * bytes);
    return load_element(whole, 0);
  }
  [[gnu::always_inline]] Floats load_values(const std::byte* values, int i) const {
    const int left = kv_.head_dim - i;
    return left >= kLanes ? load_element(values, i) : load_last(values, i, left);
  }

  // Tokens [begin, begin + n) to columns of scratch_.keys; columns up to the next whole vector repeat the last token.
  void load_keys(int begin, int n) {
    for (int t = 0; t < n; t += kLanes) {
      const std::byte* tokens[kLanes];
      for (int j = 0; j < kLanes; ++j) tokens[j] = keys_at(begin + (t + j < n ? t + j : n - 1));
      for (int d = 0; d < width_; d += kLanes) {
        Floats rows[kLanes];
#pragma GCC unroll 16
        for (int j = 0; j < kLanes; ++j) rows[j] = load_values(tokens[j], d);
        L::store_transposed(rows, scratch_.keys + d * kBlockTokens + t, kBlockTokens);
      }
    }
  }

  void score_block(int n) {
    for (int i = 0; i < n_queries_ * kBlockTokens; ++i) scratch_.scores[i] = 0;
    multiply_columns<L>({.x = scratch_.q,
                         .x_stride = kv_.head_dim,
                         .tile = scratch_.keys,
                         .tile_stride = kBlockTokens,
                         .y = scratch_.scores,
                         .y_stride = kBlockTokens,
                         .n = kv_.head_dim},
                        n_queries_, (n + kLanes - 1) / kLanes * kLanes);
  }

  // Scores of query i, which sees the first n_visible tokens of the block, to weights; what it does not see weighs
  // nothing.
  void weigh(int i, int n_visible) {
    float* scores = scratch_.scores + i * kBlockTokens;
    const int n = n_visible < kBlockTokens ? n_visible : kBlockTokens;
    for (int t = n < 0 ? 0 : n; t < kBlockTokens; ++t) scores[t] = -__builtin_inff();
    if (n <= 0) {
      for (int t = 0; t < kBlockTokens; ++t) scores[t] = 0;
      return;
    }
    const Floats scale = L::splat(p_.scale);
    Floats best = L::mul(L::load(scores), scale);
    for (int t = kLanes; t < kBlockTokens; t += kLanes) best = L::max(best, L::mul(L::load(scores + t), scale));
    const float block_largest = L::largest(best);
    if (block_largest > scratch_.largest[i]) raise(i, block_largest);
    const Floats largest = L::splat(scratch_.largest[i]);
    Floats total = L::zero();
    for (int t = 0; t < kBlockTokens; t += kLanes) {
      const Floats weight = exponential<L>(L::sub(L::mul(L::load(scores + t), scale), largest));
      total = L::add(total, weight);
      L::store(scores + t, weight);
    }
    scratch_.total[i] += L::sum(total);
  }

  // A new largest score makes all weights so far smaller.
  void raise(int i, float largest) {
    const float change = scratch_.largest[i] - largest;
    alignas(64) float factor[kLanes];
    L::store(factor, exponential<L>(L::splat(change)));
    scratch_.largest[i] = largest;
    scratch_.total[i] *= factor[0];
    float* out = scratch_.out + i * width_;
    for (int d = 0; d < width_; d += kLanes) L::store(out + d, L::mul(L::load(out + d), L::load(factor)));
  }

  void add_values(int begin, int n) {
    if (kv_.dtype == KvDtype::f32 && width_ == kv_.head_dim) {  // as they are in the pages, page by page
      for (int t = 0; t < n;) {
        const int left_in_page = kv_.page_tokens - (begin + t) % kv_.page_tokens;
        const int count = left_in_page < n - t ? left_in_page : n - t;
        const auto* values = reinterpret_cast<const float*>(keys_at(begin + t) + kv_.v_bytes);
        add_weighted(t, count, values, static_cast<int64_t>(kv_.token_bytes / sizeof(float)));
        t += count;
      }
      return;
    }
    for (int t = 0; t < n; ++t) {
      const std::byte* values = keys_at(begin + t) + kv_.v_bytes;
      for (int d = 0; d < width_; d += kLanes) L::store(scratch_.values + t * width_ + d, load_values(values, d));
    }
    add_weighted(0, n, scratch_.values, width_);
  }

  void add_weighted(int first, int n, const float* values, int64_t stride) {
    multiply_columns<L>({.x = scratch_.scores + first,
                         .x_stride = kBlockTokens,
                         .tile = values,
                         .tile_stride = stride,
                         .y = scratch_.out,
                         .y_stride = width_,
                         .n = n},
                        n_queries_, width_);
  }

  void give_results() {
    for (int i = 0; i < n_queries_; ++i) {
      const float* sums = scratch_.out + i * width_;
      float* out = p_.out + place_of(i);
      const float total = position_of(i) < 0 ? 1 : scratch_.total[i];  // padding has seen nothing: zeros
      for (int d = 0; d < kv_.head_dim; ++d) out[d] = sums[d] / total;
    }
  }

  const Attention& p_;
  const KvLayer& kv_;
  const AttentionTask& task_;
  AttentionScratch& scratch_;
  int n_heads_;
  int n_queries_;
  int width_;  // of a head, up to whole vectors
};

}  // namespace
}  // namespace ferry
