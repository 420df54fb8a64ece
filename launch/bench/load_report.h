#pragma once
// Figures of a load test: what its clients had to wait for, and how much was served.

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "launch/bench/stream_record.h"

namespace ferry {

struct Spread {
  double mean = 0, p50 = 0, p90 = 0, p99 = 0, max = 0;
};
Spread spread_of(std::vector<double> values);  // of none: zeros

// What a request has to keep to in order to count as good.
struct ServiceGoal {
  std::optional<double> ttft_ms;
  std::optional<double> itl_ms;  // mean time between its tokens
};

struct LoadReport {
  int n_requests = 0, n_answered = 0, n_good = 0;
  std::map<std::string, int> errors;  // by what was said
  double seconds = 0;                 // from the first that was due to the last end
  int64_t n_tokens = 0;
  Spread ttft_ms;  // from due to the first text
  Spread itl_ms;   // between pieces of text of one stream, all streams together
  Spread tpot_ms;  // of each request: from its first text to its last, by tokens
  Spread e2e_ms;   // from due to the end
  Spread late_ms;  // from due to sent: of the load generator, not of the server

  double requests_per_s() const { return seconds > 0 ? n_answered / seconds : 0; }
  double tokens_per_s() const { return seconds > 0 ? static_cast<double>(n_tokens) / seconds : 0; }
  double good_per_s() const { return seconds > 0 ? n_good / seconds : 0; }
};

LoadReport report_of(const std::vector<StreamRecord>& records, const ServiceGoal& goal);
nlohmann::ordered_json json_of(const LoadReport& report);
nlohmann::ordered_json json_of(const Spread& spread);

}  // namespace ferry
