#pragma once
// Dice that fall the same way on every machine: a schedule is its seed.

#include <cstdint>

#include "core/seam/clock.h"

namespace ferry::sim {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {  // SplitMix64: any seed is as good as another
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  int below(int n) { return static_cast<int>((next() >> 32) * static_cast<uint64_t>(n) >> 32); }
  int between(int least, int most) { return least + below(most - least + 1); }
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }  // in [0, 1)
  bool chance(double probability) { return uniform() < probability; }
  Duration between(Duration least, Duration most) {
    return least + Duration(static_cast<int64_t>(uniform() * static_cast<double>((most - least).count())));
  }
  template <class Items>
  const auto& one_of(const Items& items) {
    return items[below(static_cast<int>(items.size()))];
  }

 private:
  uint64_t state_;
};

}  // namespace ferry::sim
