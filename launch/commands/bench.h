#pragma once
// `ferry bench WHAT`: measures against limits taken in the same run.

#include "launch/commands/command.h"

namespace ferry {

void add_bench(CLI::App& app, Chosen& chosen);

}  // namespace ferry
