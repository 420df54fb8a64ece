#pragma once
// `ferry bench transfer`: how fast KV gets from one process into another's memory, beside memcpy and UCX's own
// benchmark.

#include "launch/commands/command.h"

namespace ferry {

void add_bench_transfer(CLI::App& bench, Chosen& chosen);

}  // namespace ferry
