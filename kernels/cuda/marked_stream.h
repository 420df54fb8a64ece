#pragma once
// A stream, and marks in its order. Events are made when none is spare, so that a step that is like the one before
// makes none.

#include <cstdint>
#include <deque>
#include <vector>

#include "kernels/cuda/runtime.h"

namespace ferry::cuda {

class MarkedStream {
 public:
  MarkedStream() : stream_(make_stream()) {}
  MarkedStream(const MarkedStream&) = delete;
  MarkedStream& operator=(const MarkedStream&) = delete;
  ~MarkedStream() {
    for (const Event event : waiting_) end_event(event);
    for (const Event event : spare_) end_event(event);
    end_stream(stream_);
  }
  operator Stream() const { return stream_; }

  // Numbers count from 1.
  uint64_t mark() {
    if (spare_.empty()) spare_.push_back(make_event());
    record(spare_.back(), stream_);
    waiting_.push_back(spare_.back());
    spare_.pop_back();
    return n_reached_ + waiting_.size();
  }

  bool reached(uint64_t number) {
    while (n_reached_ < number && cuda::reached(waiting_.front())) {
      spare_.push_back(waiting_.front());
      waiting_.pop_front();
      ++n_reached_;
    }
    return n_reached_ >= number;
  }

 private:
  Stream stream_;
  std::deque<Event> waiting_;  // those of the marks behind n_reached_
  std::vector<Event> spare_;
  uint64_t n_reached_ = 0;
};

}  // namespace ferry::cuda
