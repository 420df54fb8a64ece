#include "core/text/unicode/utf8.h"

#include <algorithm>

namespace ferry {
namespace {

// What may follow a first byte (Unicode, table 3-7): this many continuation bytes, the first of them within limits
// that exclude overlong forms, surrogates and what lies above U+10FFFF.
struct Lead {
  size_t n_following = 0;
  uint8_t low = 0x80;
  uint8_t high = 0xbf;
};

std::optional<Lead> lead_of(uint8_t byte) {
  if (byte < 0x80) return Lead{};
  if (byte < 0xc2) return std::nullopt;
  if (byte < 0xe0) return Lead{.n_following = 1};
  if (byte == 0xe0) return Lead{.n_following = 2, .low = 0xa0};
  if (byte == 0xed) return Lead{.n_following = 2, .high = 0x9f};
  if (byte < 0xf0) return Lead{.n_following = 2};
  if (byte == 0xf0) return Lead{.n_following = 3, .low = 0x90};
  if (byte < 0xf4) return Lead{.n_following = 3};
  if (byte == 0xf4) return Lead{.n_following = 3, .high = 0x8f};
  return std::nullopt;
}

bool is_continuation(char c) { return (static_cast<uint8_t>(c) & 0xc0) == 0x80; }

bool is_space(uint32_t c) {
  return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

std::string_view last_character(std::string_view text) {
  size_t begin = text.size() - 1;
  while (begin > 0 && is_continuation(text[begin])) --begin;
  return text.substr(begin);
}

}  // namespace

Utf8Character first_character(std::string_view text) {
  using enum Utf8Character::State;
  const std::optional<Lead> lead = lead_of(static_cast<uint8_t>(text[0]));
  if (!lead) return {invalid, 1};
  for (size_t i = 1; i <= lead->n_following; ++i) {
    if (i == text.size()) return {truncated, i};
    const auto byte = static_cast<uint8_t>(text[i]);
    const bool follows = i == 1 ? byte >= lead->low && byte <= lead->high : is_continuation(text[i]);
    if (!follows) return {invalid, i};
  }
  return {valid, 1 + lead->n_following};
}

uint32_t code_point_of(std::string_view character) {
  const auto first = static_cast<uint8_t>(character[0]);
  if (character.size() == 1) return first;
  uint32_t value = first & (0x7fu >> character.size());
  for (const char c : character.substr(1)) value = value << 6 | (static_cast<uint8_t>(c) & 0x3fu);
  return value;
}

std::optional<size_t> first_invalid_utf8(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const Utf8Character character = first_character(text.substr(at));
    if (character.state != Utf8Character::State::valid) return at;
    at += character.n_bytes;
  }
  return std::nullopt;
}

size_t incomplete_tail(std::string_view text) {
  for (size_t n = 1; n <= std::min<size_t>(3, text.size()); ++n) {
    const std::string_view tail = text.substr(text.size() - n);
    if (is_continuation(tail[0])) continue;
    return first_character(tail).state == Utf8Character::State::truncated ? n : 0;
  }
  return 0;
}

std::string with_replacements(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const Utf8Character character = first_character(bytes);
    const bool valid = character.state == Utf8Character::State::valid;
    text += valid ? bytes.substr(0, character.n_bytes) : "\xef\xbf\xbd";
    bytes.remove_prefix(character.n_bytes);
  }
  return text;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty()) {
    const size_t n = first_character(text).n_bytes;
    if (!is_space(code_point_of(text.substr(0, n)))) break;
    text.remove_prefix(n);
  }
  while (!text.empty()) {
    const std::string_view last = last_character(text);
    if (!is_space(code_point_of(last))) break;
    text.remove_suffix(last.size());
  }
  return text;
}

}  // namespace ferry
