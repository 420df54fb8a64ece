#include "launch/process/children_of.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace ferry {
namespace {

// Linux, proc(5): the third field, behind a name in parentheses that may hold anything.
bool has_ended(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string stat;
  std::getline(file, stat);
  const size_t name_end = stat.rfind(')');
  return name_end == stat.npos || stat.substr(name_end).starts_with(") Z");
}

}  // namespace

Children children_of(pid_t parent) {
  Children found;
  std::error_code gone;
  for (const auto& thread : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", parent), gone)) {
    std::ifstream children(thread.path() / "children");
    for (pid_t child = 0; children >> child; ++found.all) found.living += has_ended(child) ? 0 : 1;
  }
  return found;
}

}  // namespace ferry
