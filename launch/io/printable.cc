#include "launch/io/printable.h"

#include <algorithm>

namespace ferry {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Length of the valid UTF-8 character at the start of `text`; 0: there is none.
size_t character_bytes(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t n = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  const bool is_start = first >= 0xC2 && first <= 0xF4;
  if (!is_start || text.size() < n) return 0;
  if (!std::ranges::all_of(text.substr(1, n - 1), is_continuation)) return 0;
  // Overlong forms, surrogates and what lies beyond U+10FFFF have the right shape but are not valid.
  if (first == 0xE0 && byte(1) < 0xA0) return 0;
  if (first == 0xED && byte(1) > 0x9F) return 0;
  if (first == 0xF0 && byte(1) < 0x90) return 0;
  if (first == 0xF4 && byte(1) > 0x8F) return 0;
  return n;
}

// Acts on a terminal instead of being shown: C0 but for line end and tab, DEL, and C1 (U+0080 … U+009F).
bool is_control(std::string_view character) {
  const auto byte = static_cast<unsigned char>(character[0]);
  if (character.size() == 2) return byte == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;
  return character.size() == 1 && (byte < 0x20 || byte == 0x7F) && byte != '\n' && byte != '\t';
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t n = character_bytes(text);
    const std::string_view character = text.substr(0, std::max<size_t>(n, 1));
    out += n == 0 || is_control(character) ? kReplacement : character;
    text.remove_prefix(character.size());
  }
  return out;
}

size_t n_characters(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(text, [](char c) { return !is_continuation(c); }));
}

}  // namespace ferry
