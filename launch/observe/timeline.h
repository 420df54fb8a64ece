#pragma once
// Where the time of a request went: its parts, one after the other, from its arrival to its last token.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/router/router.h"

namespace ferry {

struct Part {
  // "queue", "failed_attempt", "reserve", "prefill", "exposed_transfer", "verify", "attach", "other" (messages on their
  // way, waiting for a step), "decode"; "unanswered": until its end without a token.
  std::string name;
  int attempt = 0;  // from 1; 0: before the first
  double begin_ms = 0;
  double ms = 0;
  std::string prefill, decode;  // of a failed attempt: its groups
  std::string why;              // and how it ended
  std::string next;             // the rung that was climbed then
};

std::vector<Part> timeline_of(const Account& account);
nlohmann::ordered_json json_of(const std::vector<Part>& timeline);

}  // namespace ferry
