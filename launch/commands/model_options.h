#pragma once
// The options that stand for a cluster.yaml where there is none.

#include "launch/commands/command.h"
#include "launch/config/cluster_config.h"

namespace ferry {

void add_model_options(CLI::App& command, ClusterConfig& config);

// --set KEY=VALUE, for the keys that have no option of their own.
void add_overrides_option(CLI::App& command, ClusterConfig& config);

}  // namespace ferry
