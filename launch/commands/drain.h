#pragma once
// `ferry drain`: a group ends what it has and gets nothing new, so that it can be stopped without anybody's noticing.

#include "launch/commands/command.h"

namespace ferry {

void add_drain(CLI::App& app, Chosen& chosen);

}  // namespace ferry
