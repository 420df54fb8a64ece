#include "launch/bench/load_report.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ferry {

namespace {

// The smallest value that a share of all does not exceed.
double percentile(const std::vector<double>& sorted, double share) {
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::max<size_t>(rank, 1) - 1];
}

// Means per token: a piece may hold several.
std::optional<double> tpot_of(const StreamRecord& r) {
  if (r.n_tokens < 2 || r.pieces.size() < 2) return std::nullopt;
  return ms_between(r.pieces.front().at, r.pieces.back().at) / (r.n_tokens - 1);
}

bool is_good(const StreamRecord& r, const ServiceGoal& goal) {
  if (goal.ttft_ms && (r.pieces.empty() || ms_between(r.due, r.pieces.front().at) > *goal.ttft_ms)) return false;
  return !goal.itl_ms || tpot_of(r).value_or(0) <= *goal.itl_ms;
}

}  // namespace

Spread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  return {.mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size()),
          .p50 = percentile(values, 0.5),
          .p90 = percentile(values, 0.9),
          .p99 = percentile(values, 0.99),
          .max = values.back()};
}

LoadReport report_of(const std::vector<StreamRecord>& records, const ServiceGoal& goal) {
  LoadReport report = {.n_requests = static_cast<int>(records.size())};
  std::vector<double> ttft, itl, tpot, e2e, late;
  Instant first = Instant::max(), last = Instant::min();
  for (const StreamRecord& r : records) {
    first = std::min(first, r.due);
    last = std::max(last, r.ended);
    late.push_back(ms_between(r.due, r.begun));
    if (!r.error.empty()) {
      ++report.errors[r.error];
      continue;
    }
    ++report.n_answered;
    report.n_good += is_good(r, goal);
    report.n_tokens += r.n_tokens;
    e2e.push_back(ms_between(r.due, r.ended));
    if (!r.pieces.empty()) ttft.push_back(ms_between(r.due, r.pieces.front().at));
    for (size_t i = 1; i < r.pieces.size(); ++i) itl.push_back(ms_between(r.pieces[i - 1].at, r.pieces[i].at));
    if (const auto mean = tpot_of(r)) tpot.push_back(*mean);
  }
  if (!records.empty()) report.seconds = ms_between(first, last) / 1000;
  report.ttft_ms = spread_of(std::move(ttft));
  report.itl_ms = spread_of(std::move(itl));
  report.tpot_ms = spread_of(std::move(tpot));
  report.e2e_ms = spread_of(std::move(e2e));
  report.late_ms = spread_of(std::move(late));
  return report;
}

nlohmann::ordered_json json_of(const Spread& s) {
  return {{"mean", s.mean}, {"p50", s.p50}, {"p90", s.p90}, {"p99", s.p99}, {"max", s.max}};
}

nlohmann::ordered_json json_of(const LoadReport& r) {
  return {{"requests", r.n_requests},
          {"answered", r.n_answered},
          {"good", r.n_good},
          {"errors", r.errors},
          {"seconds", r.seconds},
          {"tokens", r.n_tokens},
          {"requests_per_s", r.requests_per_s()},
          {"tokens_per_s", r.tokens_per_s()},
          {"goodput_per_s", r.good_per_s()},
          {"ttft_ms", json_of(r.ttft_ms)},
          {"itl_ms", json_of(r.itl_ms)},
          {"tpot_ms", json_of(r.tpot_ms)},
          {"e2e_ms", json_of(r.e2e_ms)},
          {"late_ms", json_of(r.late_ms)}};
}

}  // namespace ferry
