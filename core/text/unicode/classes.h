#pragma once
// Pins the character classes of a regular expression to Unicode 16 and to its White_Space, so that words are cut the
// same with any PCRE2 that knows Unicode 14 to 16.

#include <string>
#include <string_view>

namespace ferry {

// The pattern with \p{L}, \p{N}, \p{P}, \s and \S written out where PCRE2 may differ.
std::string with_pinned_classes(std::string_view pattern);

}  // namespace ferry
