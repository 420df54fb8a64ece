#pragma once
// `ferry bench model`: tokens per second of prefill and decode, and what the KV cache saves.

#include "launch/commands/command.h"

namespace ferry {

void add_bench_model(CLI::App& bench, Chosen& chosen);

}  // namespace ferry
