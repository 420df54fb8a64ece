#pragma once
// `ferry generate`: one group, no network. Under mpirun it is a tensor-parallel group and rank 0 prints.

#include "launch/commands/command.h"

namespace ferry {

void add_generate(CLI::App& app, Chosen& chosen);

}  // namespace ferry
