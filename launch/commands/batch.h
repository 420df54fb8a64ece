#pragma once
// `ferry batch`: starts the groups of a cluster.yaml, sends prompts through them, stops everything.

#include "launch/commands/command.h"

namespace ferry {

void add_batch(CLI::App& app, Chosen& chosen);

}  // namespace ferry
