#pragma once
// How long requests take, as histograms for metrics: time to first token, between tokens, end to end, in the queue.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/router/router.h"
#include "launch/io/metrics_text.h"

namespace ferry {

// Counts of values by upper bound, as Prometheus has them.
class Histogram {
 public:
  static constexpr std::array kBounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,  0.25,
                                         0.5,   1.0,    2.5,   5.0,  10.0,  30.0, 60.0, 300.0};  // seconds
  void add(double seconds, uint64_t times = 1);
  void add_to(MetricsText& text, std::string_view name, std::string_view help) const;
  uint64_t count() const { return count_; }

 private:
  std::array<uint64_t, kBounds.size() + 1> counts_ = {};
  uint64_t count_ = 0;
  double sum_ = 0;
};

class Latencies {
 public:
  void began(RequestId id, Instant now);
  void heard(const RequestEvent& event, Instant now);
  void cancelled(RequestId id) { open_.erase(id); }

  std::string text() const;  // for /metrics

 private:
  struct Open {
    Instant began, last;
    bool any = false;  // a token came
  };
  std::unordered_map<RequestId, Open> open_;
  Histogram to_first_token_, between_tokens_, end_to_end_, queued_;
  uint64_t n_generated_ = 0, kv_bytes_ = 0;
};

}  // namespace ferry
