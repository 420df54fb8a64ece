#pragma once

#include "launch/commands/command.h"

namespace ferry {

void add_explain(CLI::App& app, Chosen& chosen);

}  // namespace ferry
