#include "core/text/byte_trie.h"

namespace ferry {

void ByteTrie::add(std::string_view bytes, int value) {
  int node = kRoot;
  for (const char byte : bytes) {
    int next = child(node, byte);
    if (next == kNone) {
      next = n_nodes();
      nodes_.push_back({.next_sibling = first_child(node), .byte = byte});
      nodes_[index(node)].first_child = next;
    }
    node = next;
  }
  nodes_[index(node)].value = value;
}

int ByteTrie::child(int node, char byte) const {
  int found = first_child(node);
  while (found != kNone && nodes_[index(found)].byte != byte) found = next_sibling(found);
  return found;
}

std::optional<ByteTrie::Match> ByteTrie::longest_match(std::string_view text) const {
  std::optional<Match> longest;
  int node = kRoot;
  for (size_t i = 0; i < text.size(); ++i) {
    node = child(node, text[i]);
    if (node == kNone) break;
    if (value(node) != kNone) longest = Match{.value = value(node), .n_bytes = i + 1};
  }
  return longest;
}

}  // namespace ferry
