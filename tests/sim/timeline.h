#pragma once
// Simulated time: a clock, and what will happen. Events of one instant happen in the order in which they were planned.

#include <cstdint>
#include <functional>
#include <vector>

#include "core/seam/clock.h"

namespace ferry::sim {

using Event = std::function<void()>;

class Timeline final : public Clock {
 public:
  Instant now() const override { return now_; }

  void at(Instant when, Event event);  // the past is now
  void after(Duration delay, Event event) { at(now_ + delay, std::move(event)); }

  bool has_event_until(Instant when) const { return !heap_.empty() && heap_.front().when <= when; }
  void step();                                                                          // lets the next event happen
  void pass(Instant until) { now_ = until; }                                            // nothing happens until then
  int64_t n_events() const { return n_planned_ - static_cast<int64_t>(heap_.size()); }  // that happened

 private:
  struct Planned {
    Instant when;
    int64_t number = 0;
    size_t event = 0;
  };
  static bool later(const Planned& a, const Planned& b) {
    return a.when > b.when || (a.when == b.when && a.number > b.number);
  }

  Instant now_{std::chrono::seconds(1)};
  std::vector<Planned> heap_;
  std::vector<Event> events_;  // at the places that the heap names
  std::vector<size_t> free_;   // places
  int64_t n_planned_ = 0;
};

}  // namespace ferry::sim
