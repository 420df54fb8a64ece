#pragma once

#include "launch/commands/command.h"

namespace ferry {

void add_top(CLI::App& app, Chosen& chosen);

}  // namespace ferry
