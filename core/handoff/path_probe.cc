#include "core/handoff/path_probe.h"

#include <algorithm>

namespace ferry {

namespace {
constexpr int kSmallRounds = 8;  // the first one also finishes the wire-up
constexpr uint64_t kSmallBytes = 8;
constexpr int kMostLargePuts = 64;
constexpr Duration kLongEnough = std::chrono::milliseconds(4);
}  // namespace

PathProbe::Round PathProbe::round() const {
  if (n_rounds_ < kSmallRounds) return {.bytes = kSmallBytes, .repeat = 1};
  if (!slow_ && n_large_puts_ <= kMostLargePuts) return {.bytes = kProbeBytes, .repeat = n_large_puts_};
  return {};
}

void PathProbe::flushed(Duration took) {
  const Round done = round();
  const double seconds = std::max(1e-9, std::chrono::duration<double>(took).count());
  ++n_rounds_;
  if (done.bytes == kSmallBytes) {
    speed_.latency_us = n_rounds_ == 2 ? seconds * 1e6 : std::min(speed_.latency_us, seconds * 1e6);
    return;
  }
  speed_.gb_per_s = std::max(speed_.gb_per_s, double(done.bytes) * done.repeat / seconds / 1e9);
  n_large_puts_ *= 4;
  slow_ = took >= kLongEnough;
}

}  // namespace ferry
