#pragma once
// `ferry plan`: how the KV of one TP degree becomes that of another.

#include "launch/commands/command.h"

namespace ferry {

void add_plan(CLI::App& app, Chosen& chosen);

}  // namespace ferry
