#include "launch/observe/histogram.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ferry {

void Histogram::add(double seconds, uint64_t times) {
  const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
  counts_[static_cast<size_t>(bound - kBounds.begin())] += times;
  count_ += times;
  sum_ += seconds * static_cast<double>(times);
}

void Histogram::add_to(MetricsText& text, std::string_view name, std::string_view help) const {
  text.family(name, "histogram", help);
  uint64_t below = 0;
  for (size_t i = 0; i < kBounds.size(); ++i) {
    below += counts_[i];
    text.part("_bucket", {{"le", fmt::format("{}", kBounds[i])}}, below);
  }
  text.part("_bucket", {{"le", "+Inf"}}, count_);
  text.part("_sum", {}, sum_);
  text.part("_count", {}, count_);
}

void Latest::add(double value, uint64_t times) {
  for (uint64_t i = 0; i < std::min<uint64_t>(times, kMost); ++i) {
    if (values_.size() < kMost) {
      values_.push_back(value);
    } else {
      values_[next_++ % kMost] = value;
    }
  }
}

std::vector<double> Latest::sorted() const {
  std::vector<double> values = values_;
  std::sort(values.begin(), values.end());
  return values;
}

double percentile(std::span<const double> sorted, double share) {
  if (sorted.empty()) return 0;
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::min(std::max<size_t>(rank, 1), sorted.size()) - 1];
}

Bins bins_of(std::span<const double> sorted) {
  if (sorted.empty()) return {};
  constexpr double kLeast = 1e-6;  // seconds; a logarithm needs one
  Bins bins = {.low = std::max(sorted.front(), kLeast), .high = std::max(sorted.back(), kLeast)};
  const double width = std::log(bins.high / bins.low) / static_cast<double>(Bins::kBins);
  for (const double value : sorted) {
    const double at = width > 0 ? std::log(std::max(value, kLeast) / bins.low) / width : 0;
    ++bins.counts[std::min(static_cast<size_t>(at), Bins::kBins - 1)];
  }
  return bins;
}

}  // namespace ferry
