#pragma once
// `ferry bench handoff`: what a handoff costs beyond the prefill, shipped layer by layer and shipped at the end, and
// what that does to the time to the first token.

#include "launch/commands/command.h"

namespace ferry {

void add_bench_handoff(CLI::App& bench, Chosen& chosen);

}  // namespace ferry
