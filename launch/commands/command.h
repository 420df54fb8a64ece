#pragma once
// A command is a pair of files in this folder and a line in main.cc: add_NAME registers the subcommand with its options
// and an example, and on parsing leaves what is to be done in `chosen`.

#include <CLI/CLI.hpp>
#include <functional>

namespace ferry {

enum ExitCode : int { kDone = 0, kWorldNotAsNeeded = 1, kUsage = 2, kSomeFailed = 3 };

using Chosen = std::function<int()>;  // returns the exit code

}  // namespace ferry
