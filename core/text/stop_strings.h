#pragma once
// Several stop strings as one automaton, built once and read by every text that may end at them: the choices of a
// request share it.

#include <string>
#include <vector>

#include "core/text/byte_trie.h"

namespace ferry {

class StopStrings {
 public:
  static constexpr int kStart = ByteTrie::kRoot;

  StopStrings() : StopStrings(std::vector<std::string>()) {}  // none
  // An empty stop string is an Error.
  explicit StopStrings(const std::vector<std::string>& stops);

  // The state after one more byte. A state is the longest end of the text that begins a stop, which is exactly what
  // has to wait.
  int next_state(int state, char byte) const;
  size_t n_waiting(int state) const { return static_cast<size_t>(depth_[index(state)]); }  // bytes of that end
  // Bytes of the longest stop that ends here; 0: none.
  size_t stop_length(int state) const { return static_cast<size_t>(stop_length_[index(state)]); }

 private:
  void link_suffixes();
  static size_t index(int node) { return static_cast<size_t>(node); }

  // Aho-Corasick.
  ByteTrie stops_;
  std::vector<int> suffix_;       // [n_nodes]: the longest proper end of this beginning that begins a stop too
  std::vector<int> depth_;        // [n_nodes]: its bytes
  std::vector<int> stop_length_;  // [n_nodes]
};

}  // namespace ferry
