#include "launch/io/result_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ferry {

using nlohmann::ordered_json;

double json_number(float logprob) {
  constexpr float kImpossible = -9999;
  return std::stod(fmt::format("{}", std::isfinite(logprob) ? std::max(logprob, kImpossible) : kImpossible));
}

double rounded_ms(double ms) { return std::round(ms * 1000) / 1000; }

ordered_json json_of(const ResultMs& ms) {
  return {{"queue", rounded_ms(ms.queue)},     {"reserve", rounded_ms(ms.reserve)},
          {"prefill", rounded_ms(ms.prefill)}, {"exposed_transfer", rounded_ms(ms.exposed_transfer)},
          {"verify", rounded_ms(ms.verify)},   {"attach", rounded_ms(ms.attach)},
          {"ttft", rounded_ms(ms.ttft)},       {"total", rounded_ms(ms.total)}};
}

ordered_json json_of(const Route& route) {
  ordered_json retries = ordered_json::array();
  for (const Route::Retry& retry : route.retries) retries.push_back({{"rung", retry.rung}, {"why", retry.why}});
  return {{"prefill", route.prefill},
          {"decode", route.decode},
          {"policy", route.policy},
          {"attempts", route.attempts},
          {"retries", retries}};
}

std::string text_of(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace ferry
