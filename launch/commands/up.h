#pragma once
// ferry up: a deployment on this machine, or from it.

#include "launch/commands/command.h"

namespace ferry {

void add_up(CLI::App& app, Chosen& chosen);

}  // namespace ferry
