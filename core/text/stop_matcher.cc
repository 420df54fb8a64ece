#include "core/text/stop_matcher.h"

#include <utility>

#include "core/base/error.h"

namespace ferry {
namespace {

size_t index(int node) { return static_cast<size_t>(node); }

}  // namespace

StopMatcher::StopMatcher(const std::vector<std::string>& stops) {
  for (size_t i = 0; i < stops.size(); ++i) {
    if (stops[i].empty()) throw Error(str("stop string ", i, " is empty"));
    stops_.add(stops[i], static_cast<int>(i));
  }
  link_suffixes();
}

// Breadth first: a suffix is shorter, so it is linked before it is asked for.
void StopMatcher::link_suffixes() {
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

int StopMatcher::next_state(int state, char byte) const {
  while (true) {
    const int next = stops_.child(state, byte);
    if (next != ByteTrie::kNone) return next;
    if (state == ByteTrie::kRoot) return ByteTrie::kRoot;
    state = suffix_[index(state)];
  }
}

std::string StopMatcher::append(std::string_view text) {
  if (stop_) return {};
  for (const char byte : text) {
    text_ += byte;
    state_ = next_state(state_, byte);
    if (const int length = stop_length_[index(state_)]) {
      stop_ = text_.substr(text_.size() - index(length));
      std::string shown = shown_but(index(length));
      text_.clear();
      return shown;
    }
  }
  return shown_but(index(depth_[index(state_)]));
}

std::string StopMatcher::flush() {
  state_ = ByteTrie::kRoot;
  return shown_but(0);
}

// Shows what is there but for the last bytes. What was shown goes when it is the larger part of the text: moving the
// rest each time would cost a long stop string's length for each token.
std::string StopMatcher::shown_but(size_t n_waiting) {
  const size_t end = text_.size() - n_waiting;
  std::string shown = text_.substr(n_shown_, end - n_shown_);
  n_shown_ = end;
  if (n_shown_ > text_.size() / 2) text_.erase(0, std::exchange(n_shown_, 0));
  return shown;
}

}  // namespace ferry
