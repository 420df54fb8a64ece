#include "launch/io/result_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ferry {

using nlohmann::ordered_json;

namespace {

// Microseconds are as fine as a reader needs.
double rounded(double ms) { return std::round(ms * 1000) / 1000; }

}  // namespace

double json_number(float logprob) {
  constexpr float kImpossible = -9999;
  return std::stod(fmt::format("{}", std::isfinite(logprob) ? std::max(logprob, kImpossible) : kImpossible));
}

ordered_json json_of(const ResultMs& ms) {
  return {{"queue", rounded(ms.queue)},     {"reserve", rounded(ms.reserve)},
          {"prefill", rounded(ms.prefill)}, {"exposed_transfer", rounded(ms.exposed_transfer)},
          {"verify", rounded(ms.verify)},   {"attach", rounded(ms.attach)},
          {"ttft", rounded(ms.ttft)},       {"total", rounded(ms.total)}};
}

ordered_json json_of(const Route& route) {
  ordered_json retries = ordered_json::array();
  for (const Route::Retry& retry : route.retries) retries.push_back({{"rung", retry.rung}, {"why", retry.why}});
  return {{"prefill", route.prefill}, {"decode", route.decode}, {"attempts", route.attempts}, {"retries", retries}};
}

std::string text_of(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace ferry
