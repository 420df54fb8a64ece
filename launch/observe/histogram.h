#pragma once
// Values by size, in seconds: all of them as Prometheus has them, and the latest ones in detail.

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "launch/io/metrics_text.h"

namespace ferry {

// Counts of values by upper bound.
class Histogram {
 public:
  static constexpr std::array kBounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,  0.25,
                                         0.5,   1.0,    2.5,   5.0,  10.0,  30.0, 60.0, 300.0};
  void add(double seconds, uint64_t times = 1);
  void add_to(MetricsText& text, std::string_view name, std::string_view help) const;

 private:
  std::array<uint64_t, kBounds.size() + 1> counts_ = {};
  uint64_t count_ = 0;
  double sum_ = 0;
};

// The latest values, at most kMost of them.
class Latest {
 public:
  static constexpr size_t kMost = 2048;
  void add(double value, uint64_t times = 1);

  // Sorted, so that a share of them is at or below sorted()[share × size].
  std::vector<double> sorted() const;

 private:
  std::vector<double> values_;
  size_t next_ = 0;
};

// Of sorted values; 0 where there are none. The smallest that at least this share of them does not exceed.
double percentile(std::span<const double> sorted, double share);

// Counts of sorted values in bins that grow by a constant factor: from `low` to `high`, the first and the last value.
struct Bins {
  static constexpr size_t kBins = 24;
  double low = 0, high = 0;
  std::array<int, kBins> counts = {};
};
Bins bins_of(std::span<const double> sorted);

}  // namespace ferry
