#include "core/text/unicode/utf8.h"

#include <gtest/gtest.h>

#include <array>

namespace ferry {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

std::string utf8_of(uint32_t c) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xc0 | c >> 6), tail(0)};
  if (c < 0x10000) return {static_cast<char>(0xe0 | c >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xf0 | c >> 18), tail(12), tail(6), tail(0)};
}

TEST(Utf8, EveryCharacterIsValidAndComesBackAsItsCodePoint) {
  for (uint32_t c = 0; c < 0x110000; ++c) {
    const bool is_surrogate = c >= 0xd800 && c <= 0xdfff;
    const std::string text = utf8_of(c);
    ASSERT_EQ(first_invalid_utf8(text).has_value(), is_surrogate) << std::hex << c;
    if (is_surrogate) continue;
    ASSERT_EQ(code_point_of(text), c);
    ASSERT_EQ(first_character(text + "x").n_bytes, text.size());
  }
}

TEST(Utf8, EveryBeginningOfACharacterIsAnIncompleteTail) {
  for (const uint32_t c : {0x7fu, 0x80u, 0x7ffu, 0x800u, 0xd7ffu, 0xe000u, 0xffffu, 0x10000u, 0x10ffffu}) {
    const std::string text = utf8_of(c);
    for (size_t n = 1; n < text.size(); ++n) {
      EXPECT_EQ(incomplete_tail("é" + text.substr(0, n)), n);
      EXPECT_EQ(first_invalid_utf8("é" + text.substr(0, n)), 2u);
    }
    EXPECT_EQ(incomplete_tail(text), 0u);
  }
}

TEST(Utf8, FirstInvalidByteIsWhereItsCharacterBegins) {
  const std::array<std::string_view, 12> invalid = {
      "\x80",         "\xbf",         "\xc0\x80",         "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80",
      "\xf0\x8f\xbf", "\xf4\x90\x80", "\xf5\x80\x80\x80", "\xff",     "\xe2\x82",     "\xc3(",
  };
  for (const std::string_view bytes : invalid) {
    EXPECT_EQ(first_invalid_utf8(std::string("a日").append(bytes)), 4u);
    EXPECT_EQ(first_invalid_utf8(std::string(bytes).append("a")), 0u);
  }
  EXPECT_EQ(first_invalid_utf8(""), std::nullopt);
}

TEST(Utf8, AnInvalidEndWaitsForNothing) {
  for (const std::string_view bytes : {"\xff", "a\x80", "\xe0\x80", "\xed\xa0", "\xf5", "\x80\x80\x80\x80"}) {
    EXPECT_EQ(incomplete_tail(bytes), 0u) << testing::PrintToString(bytes);
  }
}

// The examples of the Unicode standard, section 3.9, tables 3-8 to 3-11.
TEST(Utf8, EachBeginningOfACharacterIsReplacedOnce) {
  const auto replaced = [](int n, std::string_view then) {
    std::string text;
    for (int i = 0; i < n; ++i) text += kReplacement;
    return text.append(then);
  };
  EXPECT_EQ(with_replacements("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41"), replaced(8, "A"));
  EXPECT_EQ(with_replacements("\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41"), replaced(8, "A"));
  EXPECT_EQ(with_replacements("\xf4\x91\x92\x93\xff\x41\x80\xbf\x42"), replaced(5, "A") + replaced(2, "B"));
  EXPECT_EQ(with_replacements("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41"), replaced(4, "A"));
  EXPECT_EQ(with_replacements("日本"), "日本");
}

TEST(Utf8, TrimsWhatPythonCallsWhiteSpace) {
  EXPECT_EQ(trimmed(" \t\n\x1c\u0085\u00a0\u3000a b\u2028\u205f \r"), "a b");
  EXPECT_EQ(trimmed("\u200ba\u180e"), "\u200ba\u180e");
  EXPECT_EQ(trimmed(" \n "), "");
  EXPECT_EQ(trimmed(""), "");
}

}  // namespace
}  // namespace ferry
