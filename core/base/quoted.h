#pragma once
// Names from files and peers, made fit for a message of one line.

#include <string>
#include <string_view>

namespace ferry {

// 'text', with what does not print in ASCII as \xNN, and cut where it is long.
std::string quoted(std::string_view text);

}  // namespace ferry
