#pragma once
// A set of byte strings as a tree: one node for each beginning that they have.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace ferry {

class ByteTrie {
 public:
  static constexpr int kRoot = 0;
  static constexpr int kNone = -1;

  ByteTrie() : nodes_(1) {}

  // `value` is not negative. A string added again gets the new value.
  void add(std::string_view bytes, int value);

  int n_nodes() const { return static_cast<int>(nodes_.size()); }
  int child(int node, char byte) const;                            // kNone: no string goes on like this
  int value(int node) const { return nodes_[index(node)].value; }  // kNone: no string ends here
  int first_child(int node) const { return nodes_[index(node)].first_child; }
  int next_sibling(int node) const { return nodes_[index(node)].next_sibling; }
  char byte(int node) const { return nodes_[index(node)].byte; }

  // The longest string that `text` begins with.
  struct Match {
    int value = kNone;
    size_t n_bytes = 0;
  };
  std::optional<Match> longest_match(std::string_view text) const;

 private:
  // Children are a list: few nodes of such a tree have more than one.
  struct Node {
    int first_child = kNone;
    int next_sibling = kNone;
    int value = kNone;
    char byte = 0;
  };
  static size_t index(int node) { return static_cast<size_t>(node); }

  std::vector<Node> nodes_;
};

}  // namespace ferry
