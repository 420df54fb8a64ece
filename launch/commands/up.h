#pragma once
// ferry up: a deployment on this machine, or from it.

#include "launch/commands/command.h"

namespace ferry {

void add_up(CLI::App& app, Chosen& chosen);

// Serves the cluster of that YAML until a signal comes. Exit code.
int deploy(const std::string& yaml);

}  // namespace ferry
