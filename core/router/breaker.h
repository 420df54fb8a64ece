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

  enum class State : uint8_t { closed, open, half_open };

  void succeeded() { n_failures_ = 0; }
  // What was under way when it opened says nothing new: only a probe that fails makes the pause longer.
  void failed(Instant now) {
    const State before = state(now);
    if (before == State::open || (before == State::closed && ++n_failures_ < kMostFailures)) return;
    n_pauses_ = before == State::closed ? 0 : n_pauses_ + 1;
    open_until_ = now + kFirstPause * (1 << std::min(n_pauses_, kMostDoublings));
  }

  State state(Instant now) const {
    if (n_failures_ < kMostFailures) return State::closed;
    return now < open_until_ ? State::open : State::half_open;
  }
  bool lets(Instant now, int n_in_flight) const {
    const State s = state(now);
    return s == State::closed || (s == State::half_open && n_in_flight == 0);
  }

 private:
  int n_failures_ = 0;  // in a row, up to those that opened it
  int n_pauses_ = 0;    // after the first
  Instant open_until_;
};

}  // namespace ferry
