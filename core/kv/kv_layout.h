#pragma once
// Where the KV of a token lies in a rank's memory: [layer][page][head][k|v][token][dim]. The only address arithmetic of
// the project.
//
// The order makes resharding plain copies: what two ranks have in common is one contiguous run per layer and page,
// whatever their TP degrees, and keys and values travel together. Where both hold the same heads, neighbouring pages
// are one run, too: a prompt in fresh memory is one put a layer.

#include <cstddef>
#include <cstdint>

#include "core/kv/dtype.h"
#include "core/kv/shard.h"
#include "core/seam/ops.h"

namespace ferry {

// Pages that hold so many tokens, the last one whole or not.
constexpr int pages_for(int n_tokens, int page_tokens) { return (n_tokens + page_tokens - 1) / page_tokens; }

class KvLayout {
 public:
  KvLayout() = default;
  KvLayout(const Shard& shard, int page_tokens, int head_dim, KvDtype dtype, int n_pages = 1);

  const Shard& shard() const { return shard_; }
  int page_tokens() const { return page_tokens_; }
  int head_dim() const { return head_dim_; }
  KvDtype dtype() const { return dtype_; }
  int n_pages() const { return n_pages_; }

  size_t token_bytes() const {
    return head_dim_ * bytes_of(dtype_);
  }                                                                // the key (or the value) of one token in one head
  size_t v_bytes() const { return page_tokens_ * token_bytes(); }  // from a head's keys to its values
  size_t head_bytes() const { return 2 * v_bytes(); }              // keys and values of one head in one page
  size_t layer_bytes() const { return shard_.heads.size() * head_bytes(); }   // of one page
  size_t page_bytes() const { return shard_.layers.size() * layer_bytes(); }  // in all layers
  size_t bytes() const { return n_pages_ * page_bytes(); }

  int pages_for(int n_tokens) const { return ferry::pages_for(n_tokens, page_tokens_); }

  // Offset of the keys of `head` (a head of the model, not of the rank) in `layer` of `page`.
  uint64_t offset(int page, int layer, int head) const;

  // The view that kernels get of one layer, over a rank's KV memory.
  KvLayer layer(std::byte* memory, int layer) const;

  bool operator==(const KvLayout&) const = default;
  template <class A>
  void fields(A& a) {
    a(shard_, page_tokens_, head_dim_, dtype_, n_pages_);
  }

 private:
  Shard shard_;
  int page_tokens_ = 1;
  int head_dim_ = 0;
  KvDtype dtype_ = KvDtype::f32;
  int n_pages_ = 1;
};

std::vector<Shard> shards_of(const std::vector<KvLayout>& layouts);  // in their order

}  // namespace ferry
