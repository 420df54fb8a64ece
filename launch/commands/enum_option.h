#pragma once
// An option whose values are those of a YAML key, by the same names.

#include <string>
#include <utility>
#include <vector>

#include "launch/commands/command.h"
#include "launch/config/cluster_config.h"

namespace ferry {

template <class Enum>
void add_enum_option(CLI::App& command, const std::string& name, Enum& value, const std::string& what) {
  std::vector<std::pair<std::string, Enum>> choices;
  std::string names;
  for (const std::string_view choice : names_of(value)) {
    choices.emplace_back(choice, static_cast<Enum>(choices.size()));
    names += (names.empty() ? "" : "|") + std::string(choice);
  }
  command.add_option(name, value, what)->transform(CLI::Transformer(choices))->type_name(names);
}

}  // namespace ferry
