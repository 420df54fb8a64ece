#pragma once
// The alphabet in which byte-level vocabularies spell bytes: GPT-2's, one printable character for each byte. Bytes that
// print in Latin-1 are themselves, the others are U+0100 and up ("Ġ", U+0120, is the space).

#include <optional>
#include <string>
#include <string_view>

namespace ferry {

std::string spelled(std::string_view bytes);

// The bytes that a text in the alphabet spells; none: it has a character outside the alphabet.
std::optional<std::string> bytes_spelled(std::string_view text);

}  // namespace ferry
