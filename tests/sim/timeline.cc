#include "tests/sim/timeline.h"

#include <algorithm>
#include <utility>

namespace ferry::sim {

void Timeline::at(Instant when, Event event) {
  if (free_.empty()) {
    free_.push_back(events_.size());
    events_.emplace_back();
  }
  const size_t place = free_.back();
  free_.pop_back();
  events_[place] = std::move(event);
  heap_.push_back({.when = std::max(when, now_), .number = n_planned_++, .event = place});
  std::push_heap(heap_.begin(), heap_.end(), later);
}

void Timeline::step() {
  std::pop_heap(heap_.begin(), heap_.end(), later);
  const Planned planned = heap_.back();
  heap_.pop_back();
  now_ = planned.when;
  const Event event = std::exchange(events_[planned.event], {});
  free_.push_back(planned.event);
  event();
}

}  // namespace ferry::sim
