#pragma once
// ferry serve: the API on one group that does both, without a cluster.yaml.

#include "launch/commands/command.h"

namespace ferry {

void add_serve(CLI::App& app, Chosen& chosen);

}  // namespace ferry
