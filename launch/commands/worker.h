#pragma once
// `ferry worker`: one group of a cluster; started by mpirun, one process a rank.

#include "launch/commands/command.h"

namespace ferry {

void add_worker(CLI::App& app, Chosen& chosen);

}  // namespace ferry
