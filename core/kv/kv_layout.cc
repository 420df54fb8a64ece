#include "core/kv/kv_layout.h"

#include "core/base/check.h"

namespace ferry {

KvLayout::KvLayout(const Shard& shard, int page_tokens, int head_dim, KvDtype dtype)
    : shard_(shard), page_tokens_(page_tokens), head_dim_(head_dim), dtype_(dtype) {
  check(page_tokens > 0 && head_dim > 0, "a page holds tokens and a head has a size");
}

uint64_t KvLayout::offset(int page, int layer, int head) const {
  check(page >= 0 && shard_.layers.contains(layer) && shard_.heads.contains(head),
        "this rank holds that layer and head");
  return page * page_bytes() + (layer - shard_.layers.begin) * layer_bytes() +
         (head - shard_.heads.begin) * head_bytes();
}

KvLayer KvLayout::layer(std::byte* memory, int layer) const {
  return {.base = memory + offset(0, layer, shard_.heads.begin),
          .page_bytes = page_bytes(),
          .head_bytes = head_bytes(),
          .v_bytes = v_bytes(),
          .token_bytes = token_bytes(),
          .page_tokens = page_tokens_,
          .n_heads = shard_.heads.size(),
          .head_dim = head_dim_,
          .dtype = dtype_};
}

}  // namespace ferry
