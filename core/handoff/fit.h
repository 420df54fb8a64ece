#pragma once
// Whether two groups can hand KV to each other.

#include <optional>
#include <string>

#include "core/wire/messages.h"

namespace ferry {

// Why the KV of `prefill` cannot become that of `decode`, naming the field and both values; nullopt: it can.
std::optional<std::string> misfit(const wire::GroupInfo& prefill, const wire::GroupInfo& decode);

// Why what a group says of itself cannot be true; nullopt: it can.
std::optional<std::string> nonsense_in(const wire::GroupInfo& group);

}  // namespace ferry
