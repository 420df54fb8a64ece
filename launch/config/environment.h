#pragma once
// What the environment says, for those who report it. Ferry itself is configured by its YAML and command line alone.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ferry {

// "NAME=value" of all variables whose name starts with `prefix`, in the order of the environment.
std::vector<std::string> variables_with(std::string_view prefix);

// Where PATH leads to for this program.
std::optional<std::filesystem::path> program_in_path(const std::string& name);

}  // namespace ferry
