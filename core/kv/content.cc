#include "core/kv/content.h"

#include "core/base/hash.h"

namespace ferry {

ContentId content_after(ContentId before, std::span<const int> tokens) {
  return hash_of({reinterpret_cast<const char*>(tokens.data()), tokens.size_bytes()}, before);
}

std::vector<ContentId> block_contents(ContentId start, std::span<const int> tokens, int block_tokens) {
  std::vector<ContentId> ids;
  for (; tokens.size() >= static_cast<size_t>(block_tokens); tokens = tokens.subspan(block_tokens)) {
    ids.push_back(content_after(ids.empty() ? start : ids.back(), tokens.first(block_tokens)));
  }
  return ids;
}

ContentId content_of(ContentId start, std::span<const int> tokens, int block_tokens) {
  const auto blocks = block_contents(start, tokens, block_tokens);
  return content_after(blocks.empty() ? start : blocks.back(), tokens.subspan(blocks.size() * block_tokens));
}

}  // namespace ferry
