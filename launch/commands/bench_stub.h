#pragma once
// `ferry bench stub`: a group without a model behind any router, for load generators other than ours.

#include "launch/commands/command.h"

namespace ferry {

void add_bench_stub(CLI::App& bench, Chosen& chosen);

}  // namespace ferry
