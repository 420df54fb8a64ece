#include "core/kv/kv_layout.h"

#include "core/base/check.h"

namespace ferry {

KvLayout::KvLayout(const Shard& shard, int page_tokens, int head_dim, KvDtype dtype, int n_pages)
    : shard_(shard), page_tokens_(page_tokens), head_dim_(head_dim), dtype_(dtype), n_pages_(n_pages) {
  check(page_tokens > 0 && head_dim > 0 && n_pages > 0, "a page holds tokens and a head has a size");
}

uint64_t KvLayout::offset(int page, int layer, int head) const {
  check(page >= 0 && page < n_pages_ && shard_.layers.contains(layer) && shard_.heads.contains(head),
        "this rank holds that page, layer and head");
  const size_t run = size_t(layer - shard_.layers.begin) * n_pages_ + page;
  return run * layer_bytes() + (head - shard_.heads.begin) * head_bytes();
}

KvLayer KvLayout::layer(std::byte* memory, int layer) const {
  return {.base = memory + offset(0, layer, shard_.heads.begin),
          .page_bytes = layer_bytes(),
          .head_bytes = head_bytes(),
          .v_bytes = v_bytes(),
          .token_bytes = token_bytes(),
          .page_tokens = page_tokens_,
          .n_heads = shard_.heads.size(),
          .head_dim = head_dim_,
          .dtype = dtype_};
}

std::vector<Shard> shards_of(const std::vector<KvLayout>& layouts) {
  std::vector<Shard> shards;
  shards.reserve(layouts.size());
  for (const KvLayout& layout : layouts) shards.push_back(layout.shard());
  return shards;
}

}  // namespace ferry
