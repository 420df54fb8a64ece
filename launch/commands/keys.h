#pragma once

#include "launch/commands/command.h"

namespace ferry {

void add_keys(CLI::App& app, Chosen& chosen);

}  // namespace ferry
