#include "core/text/stop_strings.h"

#include "core/base/error.h"

namespace ferry {

StopStrings::StopStrings(const std::vector<std::string>& stops) {
  for (size_t i = 0; i < stops.size(); ++i) {
    if (stops[i].empty()) throw Error(str("stop string ", i, " is empty"));
    stops_.add(stops[i], static_cast<int>(i));
  }
  link_suffixes();
}

// Breadth first: a suffix is shorter, so it is linked before it is asked for.
void StopStrings::link_suffixes() {
  const size_t n = index(stops_.n_nodes());
  suffix_.assign(n, ByteTrie::kRoot);
  depth_.assign(n, 0);
  stop_length_.assign(n, 0);
  std::vector<int> order = {ByteTrie::kRoot};
  order.reserve(n);
  for (size_t i = 0; i < order.size(); ++i) {
    const int parent = order[i];
    for (int node = stops_.first_child(parent); node != ByteTrie::kNone; node = stops_.next_sibling(node)) {
      order.push_back(node);
      depth_[index(node)] = depth_[index(parent)] + 1;
      if (parent != ByteTrie::kRoot) {
        suffix_[index(node)] = next_state(suffix_[index(parent)], stops_.byte(node));
      }
      const bool ends = stops_.value(node) != ByteTrie::kNone;
      stop_length_[index(node)] = ends ? depth_[index(node)] : stop_length_[index(suffix_[index(node)])];
    }
  }
}

int StopStrings::next_state(int state, char byte) const {
  while (true) {
    const int next = stops_.child(state, byte);
    if (next != ByteTrie::kNone) return next;
    if (state == ByteTrie::kRoot) return ByteTrie::kRoot;
    state = suffix_[index(state)];
  }
}

}  // namespace ferry
