#pragma once
// Ends a stream of text at the first of several stop strings, wherever the borders of tokens fall. Text that may be the
// beginning of a stop string waits. Time is linear in the text, whatever the number and the length of the stops.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/byte_trie.h"

namespace ferry {

class StopMatcher {
 public:
  // An empty stop string is an Error. No stops: nothing ever waits.
  explicit StopMatcher(const std::vector<std::string>& stops);

  // The text that may be shown now: never a part of a stop string. Nothing more once a stop was found.
  std::string append(std::string_view text);

  // The text is over: what still waits.
  std::string flush();

  // The stop that was found: the first to be complete, and of those complete at the same byte the longest.
  const std::optional<std::string>& stop() const { return stop_; }

 private:
  void link_suffixes();
  int next_state(int state, char byte) const;
  std::string shown_but(size_t n_waiting);

  // Aho-Corasick: the state is the longest end of the text that begins a stop, which is exactly what has to wait.
  ByteTrie stops_;
  std::vector<int> suffix_;       // [n_nodes]: the longest proper end of this beginning that begins a stop too
  std::vector<int> depth_;        // [n_nodes]: its bytes
  std::vector<int> stop_length_;  // [n_nodes]: bytes of the longest stop that ends here; 0: none
  int state_ = ByteTrie::kRoot;
  std::string text_;    // its end waits
  size_t n_shown_ = 0;  // bytes of text_ that were given out
  std::optional<std::string> stop_;
};

}  // namespace ferry
