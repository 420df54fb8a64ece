#pragma once
// A router that answers over HTTP, until it is told to stop.

#include "launch/config/cluster_config.h"
#include "launch/process/stop_signals.h"

namespace ferry {

// Runs in the calling thread. Leaders dial in at `control`; what listens is said to the log. Returns when a signal came
// and what was running has ended, or has had its time.
void serve_http(const ClusterConfig& config, StopSignals& signals);

}  // namespace ferry
