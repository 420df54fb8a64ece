#include "core/router/prefixes.h"

namespace ferry {

namespace {
constexpr ContentId kStart = 1;  // these ids are compared with each other only
}

Prefixes::Blocks Prefixes::blocks_of(std::span<const int> prompt) const {
  return block_contents(kStart, prompt, block_tokens_);
}

int Prefixes::n_cached_tokens(StreamId group, const Blocks& blocks) const {
  int n = 0;
  for (const ContentId block : blocks) {
    if (!places_.contains({group, block})) break;
    ++n;
  }
  return n * block_tokens_;
}

// The last block first, so that the beginning is forgotten last: without it the rest cannot be found.
void Prefixes::sent(StreamId group, const Blocks& blocks) {
  for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
    const Place place = {group, *block};
    const auto [entry, is_new] = places_.try_emplace(place);
    if (!is_new) by_use_.erase(entry->second);
    entry->second = by_use_.insert(by_use_.end(), place);
  }
  while (places_.size() > most_) {
    places_.erase(by_use_.front());
    by_use_.pop_front();
  }
}

void Prefixes::forget(StreamId group) {
  for (auto place = places_.lower_bound({group, 0}); place != places_.end() && place->first.first == group;) {
    by_use_.erase(place->second);
    place = places_.erase(place);
  }
}

}  // namespace ferry
