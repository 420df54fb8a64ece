#pragma once

#include "launch/commands/command.h"

namespace ferry {

void add_bench_allreduce(CLI::App& bench, Chosen& chosen);

}  // namespace ferry
