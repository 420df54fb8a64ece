#pragma once
// The cluster at this moment, as JSON: what /debug/cluster answers, and what the page, `ferry top` and others draw.
// docs/observing.md says what its fields are.

#include <string>

#include "launch/observe/request_log.h"
#include "launch/serve/gateway.h"

namespace ferry {

std::string cluster_snapshot(const Gateway& gateway, const RequestLog& log);

}  // namespace ferry
