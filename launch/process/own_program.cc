#include "launch/process/own_program.h"

#include <filesystem>

namespace ferry {

std::string own_program() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

}  // namespace ferry
