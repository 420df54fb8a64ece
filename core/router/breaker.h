#pragma once
// Keeps work away from a group that fails one attempt after another. After a few failures in a row nothing goes there
// for a while; then one attempt at a time, as a probe: its success opens the way again, its failure doubles the pause.
// (Nygard's circuit breaker: closed, open, half open.) Pure.

#include <algorithm>
#include <string_view>

#include "core/seam/clock.h"

namespace ferry {

class Breaker {
 public:
  static constexpr int kMostFailures = 5;  // in a row, before it opens
  static constexpr Duration kFirstPause = std::chrono::milliseconds(500);
  static constexpr int kMostDoublings = 4;

  void succeeded() { n_failures_ = 0; }
  void failed(Instant now) {
    if (++n_failures_ < kMostFailures) return;
    open_until_ = now + kFirstPause * (1 << std::min(n_failures_ - kMostFailures, kMostDoublings));
  }

  enum class State : uint8_t { closed, open, half_open };
  State state(Instant now) const {
    if (n_failures_ < kMostFailures) return State::closed;
    return now < open_until_ ? State::open : State::half_open;
  }
  bool lets(Instant now, int n_in_flight) const {
    const State s = state(now);
    return s == State::closed || (s == State::half_open && n_in_flight == 0);
  }

 private:
  int n_failures_ = 0;
  Instant open_until_;
};

}  // namespace ferry
