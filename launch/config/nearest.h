#pragma once
// The known name that a misspelt one probably means.

#include <span>
#include <string_view>

namespace ferry {

// Insertions, deletions, replacements and swaps of neighbours that turn one into the other.
int edit_distance(std::string_view a, std::string_view b);

// The closest of `known`; the first of equals. Empty when there is none to choose from.
std::string_view nearest(std::string_view name, std::span<const std::string_view> known);

}  // namespace ferry
