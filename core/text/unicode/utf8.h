#pragma once
// UTF-8: is it valid, where does it break, does its end wait for more bytes.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ferry {

// The first character of a text. Not `valid`: the longest beginning of a character (at least one byte), which is what
// one U+FFFD replaces (Unicode 3.9, "maximal subpart"); `truncated`: the text ended before the character did.
struct Utf8Character {
  enum class State { valid, invalid, truncated };
  State state = State::invalid;
  size_t n_bytes = 0;
};
Utf8Character first_character(std::string_view text);  // text is not empty

// The code point of a valid character.
uint32_t code_point_of(std::string_view character);

// Offset of the first byte that belongs to no character; none: the text is valid.
std::optional<size_t> first_invalid_utf8(std::string_view text);

// How many bytes at the end are the beginning of a character: 0 to 3.
size_t incomplete_tail(std::string_view text);

// Valid text: what is not UTF-8 becomes U+FFFD.
std::string with_replacements(std::string_view bytes);

// Without white space at both ends, as Python's str.strip() (which chat templates call) defines it.
std::string_view trimmed(std::string_view text);

}  // namespace ferry
