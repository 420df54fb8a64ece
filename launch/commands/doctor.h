#pragma once
// `ferry doctor`: what is here, what is missing, what that costs, what to type.

#include "launch/commands/command.h"

namespace ferry {

void add_doctor(CLI::App& app, Chosen& chosen);

}  // namespace ferry
