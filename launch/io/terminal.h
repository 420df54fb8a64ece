#pragma once
// What a terminal can show. Everything stays plain where there is none.

#include <string>
#include <string_view>

namespace ferry {

enum class Colours { off, on };

bool is_terminal(int fd);
// Of a terminal; 80 by 24 where there is none.
int columns_of(int fd);
int lines_of(int fd);
// On for a terminal that shows them, unless NO_COLOR is set.
Colours colours_for(int fd);

enum class Tint { bold, dim, red, green, yellow, cyan };
std::string tinted(std::string_view text, Tint tint, Colours colours);

}  // namespace ferry
