#include "core/text/byte_alphabet.h"

#include <array>
#include <cstdint>

#include "core/text/unicode/utf8.h"

namespace ferry {
namespace {

constexpr bool is_itself(size_t byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

constexpr std::array<uint16_t, 256> kCodePointOfByte = [] {
  std::array<uint16_t, 256> table{};
  uint16_t next = 0x100;
  for (size_t byte = 0; byte < 256; ++byte) table[byte] = is_itself(byte) ? static_cast<uint16_t>(byte) : next++;
  return table;
}();

constexpr int kNone = -1;
constexpr size_t kAlphabetEnd = 0x144;  // 68 bytes are not themselves

constexpr std::array<int, kAlphabetEnd> kByteOfCodePoint = [] {
  std::array<int, kAlphabetEnd> table{};
  table.fill(kNone);
  for (size_t byte = 0; byte < 256; ++byte) table[kCodePointOfByte[byte]] = static_cast<int>(byte);
  return table;
}();

}  // namespace

std::string spelled(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    const int c = kCodePointOfByte[static_cast<uint8_t>(byte)];
    if (c < 0x80) {
      text += static_cast<char>(c);
    } else {
      text += {static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 0x3f))};
    }
  }
  return text;
}

std::optional<std::string> bytes_spelled(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    const Utf8Character character = first_character(text);
    if (character.state != Utf8Character::State::valid) return std::nullopt;
    const uint32_t c = code_point_of(text.substr(0, character.n_bytes));
    if (c >= kAlphabetEnd || kByteOfCodePoint[c] == kNone) return std::nullopt;
    bytes += static_cast<char>(kByteOfCodePoint[c]);
    text.remove_prefix(character.n_bytes);
  }
  return bytes;
}

}  // namespace ferry
