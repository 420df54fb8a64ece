#pragma once
// Text of others, made fit for a terminal.

#include <cstddef>
#include <string>
#include <string_view>

namespace ferry {

// Valid UTF-8 without control characters but line ends and tabs, so that it cannot move the cursor or change colours.
// What does not fit becomes U+FFFD.
std::string printable(std::string_view text);

// Characters, where text is UTF-8; each counts as one column.
size_t n_characters(std::string_view text);

}  // namespace ferry
