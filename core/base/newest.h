#pragma once
// A set that remembers its newest elements only: what is over, say, so that a message which comes late does not begin
// it again, in memory that does not grow.

#include <cstddef>
#include <deque>
#include <set>

namespace ferry {

template <class T>
class Newest {
 public:
  explicit Newest(size_t most) : most_(most) {}

  void insert(const T& element) {
    if (!elements_.insert(element).second) return;
    in_order_.push_back(element);
    if (in_order_.size() <= most_) return;
    elements_.erase(in_order_.front());
    in_order_.pop_front();
  }
  bool contains(const T& element) const { return elements_.contains(element); }

 private:
  size_t most_;
  std::set<T> elements_;
  std::deque<T> in_order_;
};

}  // namespace ferry
