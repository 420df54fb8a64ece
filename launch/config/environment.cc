#include "launch/config/environment.h"

#include <unistd.h>

#include <cstdlib>
#include <sstream>

namespace ferry {

std::vector<std::string> variables_with(std::string_view prefix) {
  std::vector<std::string> found;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (std::string_view(*entry).starts_with(prefix)) found.emplace_back(*entry);
  }
  return found;
}

std::optional<std::filesystem::path> program_in_path(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::filesystem::path program = std::filesystem::path(folder) / name;
    if (access(program.c_str(), X_OK) == 0 && !std::filesystem::is_directory(program)) return program;
  }
  return std::nullopt;
}

}  // namespace ferry
