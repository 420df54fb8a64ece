#pragma once
// Measures the path to one peer rank before any request uses it: how long a small put takes, and how fast large ones
// are. A sequence of puts and flushes that its owner posts one after the other. Pure.

#include <cstdint>

#include "core/seam/clock.h"
#include "core/wire/messages.h"

namespace ferry {

// Behind a rank's pages its memory has this much more. What lies there means nothing: peers write it when they measure.
constexpr uint64_t kProbeBytes = 256 << 10;

class PathProbe {
 public:
  // What to post next: `repeat` puts of `bytes`, then a flush. Nothing when repeat is 0: the probe is over.
  struct Round {
    uint64_t bytes = 0;
    int repeat = 0;
  };
  Round round() const;
  bool over() const { return round().repeat == 0; }
  void flushed(Duration took);  // the round, from its post to its flush

  const wire::Speed& speed() const { return speed_; }

 private:
  int n_rounds_ = 0;      // done
  int n_large_puts_ = 1;  // in the next large round
  bool slow_ = false;     // one round took long enough to be exact
  wire::Speed speed_;
};

}  // namespace ferry
