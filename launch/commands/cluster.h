#pragma once
// `ferry cluster`: a whole cluster in one MPI job, for Slurm and for scaling runs.

#include "launch/commands/command.h"

namespace ferry {

void add_cluster(CLI::App& app, Chosen& chosen);

}  // namespace ferry
