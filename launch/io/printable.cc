#include "launch/io/printable.h"

#include <algorithm>

#include "core/text/unicode/utf8.h"

namespace ferry {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

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
    const Utf8Character next = first_character(text);
    const std::string_view character = text.substr(0, next.n_bytes);
    const bool is_shown = next.state == Utf8Character::State::valid && !is_control(character);
    out += is_shown ? character : kReplacement;
    text.remove_prefix(next.n_bytes);
  }
  return out;
}

size_t n_characters(std::string_view text) {
  const auto starts_character = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
  return static_cast<size_t>(std::ranges::count_if(text, starts_character));
}

}  // namespace ferry
