#pragma once
// Where the beginning of a prompt probably is in a KV cache already: at the groups that prompts with the same beginning
// were sent to lately. A guess of the router; what a group really finds is in each request's bill. Pure.

#include <list>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "core/kv/content.h"
#include "core/seam/control_stream.h"

namespace ferry {

class Prefixes {
 public:
  // Remembers `most` blocks in all, those that were used last.
  Prefixes(int block_tokens, size_t most) : block_tokens_(block_tokens), most_(most) {}

  using Blocks = std::vector<ContentId>;
  Blocks blocks_of(std::span<const int> prompt) const;  // made once, used for every group

  int n_cached_tokens(StreamId group, const Blocks& blocks) const;
  void sent(StreamId group, const Blocks& blocks);
  void forget(StreamId group);  // it is gone, and its cache with it

 private:
  using Place = std::pair<StreamId, ContentId>;
  const int block_tokens_;
  const size_t most_;
  std::list<Place> by_use_;  // the longest unused first
  std::map<Place, std::list<Place>::iterator> places_;
};

}  // namespace ferry
