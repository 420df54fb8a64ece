#pragma once
// The cluster at this moment, as JSON: what /debug/cluster answers, and what the page, `ferry top` and others draw.
// docs/observing.md says what its fields are.

#include <string>

#include "launch/observe/request_log.h"
#include "launch/serve/gateway.h"

namespace ferry {

// Its single requests are those that `is_visible` lets pass; what is counted and measured is of all.
std::string cluster_snapshot(const Gateway& gateway, const RequestLog& log, const RequestLog::Visible& is_visible);

}  // namespace ferry
