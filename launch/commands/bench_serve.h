#pragma once
// `ferry bench serve`: what clients of the HTTP API have to wait for, under load.

#include "launch/commands/command.h"

namespace ferry {

void add_bench_serve(CLI::App& bench, Chosen& chosen);

}  // namespace ferry
