#pragma once
// `ferry router`: waits for leaders at the control port of a cluster.yaml and sends prompts through them.

#include "launch/commands/command.h"

namespace ferry {

void add_router(CLI::App& app, Chosen& chosen);

}  // namespace ferry
