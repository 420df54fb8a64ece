#pragma once
// The program that runs now, to start it once more.

#include <string>

namespace ferry {

std::string own_program();  // its path

}  // namespace ferry
