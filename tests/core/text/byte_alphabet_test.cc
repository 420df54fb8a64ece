#include "core/text/byte_alphabet.h"

#include <gtest/gtest.h>

#include <set>

#include "core/text/unicode/utf8.h"

namespace ferry {
namespace {

TEST(ByteAlphabet, SpellsEveryByteWithItsOwnPrintableCharacter) {
  std::set<std::string> characters;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string bytes(1, static_cast<char>(byte));
    const std::string character = spelled(bytes);
    EXPECT_EQ(bytes_spelled(character), bytes);
    EXPECT_EQ(first_character(character).n_bytes, character.size());
    EXPECT_GT(code_point_of(character), 0x20u);
    characters.insert(character);
  }
  EXPECT_EQ(characters.size(), 256u);
}

TEST(ByteAlphabet, IsTheOneOfGpt2) {
  EXPECT_EQ(spelled(" hello\n"), "ĠhelloĊ");
  EXPECT_EQ(spelled("\x7f\xad\xff"), "ġŃÿ");
  EXPECT_EQ(bytes_spelled("Ã©"), "é");
}

TEST(ByteAlphabet, OtherCharactersSpellNothing) {
  for (const char* text : {" ", "a b", "日", "\n", "ń", "\xff"}) EXPECT_EQ(bytes_spelled(text), std::nullopt) << text;
}

}  // namespace
}  // namespace ferry
