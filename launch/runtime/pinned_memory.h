#pragma once
// Host memory that KV of a card passes through is pinned, where the machine lets it be: what it costs where not, and
// what to do.

#include <string>
#include <string_view>

#include "core/seam/device.h"

namespace ferry {

constexpr std::string_view kUnpinnedCost = "a rank waits for each copy of KV from its card and to it";
constexpr std::string_view kPinAdvice =
    "ulimit -l unlimited, memlock in /etc/security/limits.conf, LimitMEMLOCK=infinity in the systemd unit, or docker "
    "run --ulimit memlock=-1; or a smaller link.staging";

// What a rank's log says when its device got less than it asked for; empty when it got all.
inline std::string pin_warning(const Device& device) {
  const std::string not_pinned = device.not_pinned();
  if (not_pinned.empty()) return {};
  return "not pinned, " + not_pinned + ". So " + std::string(kUnpinnedCost) + ". " + std::string(kPinAdvice);
}

}  // namespace ferry
