#include "core/text/pretokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "core/base/error.h"
#include "core/text/unicode/utf8.h"
#include "tests/support/reference.h"

namespace ferry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// In the order of the columns of every_character.txt.
const std::vector<std::string> kNames = {"gpt-2", "smollm", "llama-bpe", "qwen2", "default"};

std::vector<int> word_lengths(const PreTokenizer& pretokenizer, std::string_view text) {
  std::vector<int> lengths;
  for (const std::string_view word : pretokenizer.words_of(text)) lengths.push_back(static_cast<int>(word.size()));
  return lengths;
}

TEST(PreTokenizer, CutsRandomTextAsTheReferenceDoes) {
  for (const std::string& name : kNames) {
    const PreTokenizer pretokenizer(name);
    for (const nlohmann::json& expected : json_lines_of_data("words_reference.jsonl")) {
      const std::string text = expected.at("text");
      ASSERT_EQ(word_lengths(pretokenizer, text), expected.at(name).get<std::vector<int>>()) << name << ": " << text;
    }
  }
}

std::string utf8_of(int c) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xc0 | c >> 6), tail(0)};
  if (c < 0x10000) return {static_cast<char>(0xe0 | c >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xf0 | c >> 18), tail(12), tail(6), tail(0)};
}

// As in make_tokenizer_reference.py.
std::string text_with_each_of_block(int first) {
  std::string text;
  for (int code_point = first; code_point < first + 4096; ++code_point) {
    const std::string c = utf8_of(code_point);
    if (!first_invalid_utf8(c)) text += "a" + c + "b 1" + c + "2 " + c + " " + c + c + "'" + c + "s\n";
  }
  return text;
}

TEST(PreTokenizer, CutsEveryCharacterOfUnicodeAsTheReferenceDoes) {
  const std::vector<PreTokenizer> pretokenizers = [] {
    std::vector<PreTokenizer> all;
    for (const std::string& name : kNames) all.emplace_back(name);
    return all;
  }();
  for (const std::string& line : lines_of_data("every_character.txt")) {
    std::istringstream columns(line);
    int first = 0;
    columns >> std::hex >> first;
    const std::string text = text_with_each_of_block(first);
    for (size_t i = 0; i < kNames.size(); ++i) {
      std::string expected;
      columns >> expected;
      ASSERT_EQ(fnv1a_of(word_lengths(pretokenizers[i], text)), expected) << kNames[i] << " from " << std::hex << first;
    }
  }
}

TEST(PreTokenizer, PatternsDifferWhereModelsDo) {
  const std::string text = "I'LL pay 12345 now";
  EXPECT_THAT(PreTokenizer("gpt-2").words_of(text), ElementsAre("I", "'", "LL", " pay", " 12345", " now"));
  EXPECT_THAT(PreTokenizer("smollm").words_of(text),
              ElementsAre("I", "'", "LL", " pay", " ", "1", "2", "3", "4", "5", " now"));
  EXPECT_THAT(PreTokenizer("llama-bpe").words_of(text), ElementsAre("I", "'LL", " pay", " ", "123", "45", " now"));
  EXPECT_THAT(PreTokenizer("qwen2").words_of(text),
              ElementsAre("I", "'LL", " pay", " ", "1", "2", "3", "4", "5", " now"));
  EXPECT_THAT(PreTokenizer("default").words_of(text), ElementsAre("I", "'", "LL", " pay", " ", "123", "45", " now"));
}

TEST(PreTokenizer, LongRunsOfAnythingAreCutInOnePass) {
  constexpr size_t kLength = 10'000'000;
  for (const std::string& name : kNames) {
    const PreTokenizer pretokenizer(name);
    for (const char c : {'a', ' ', '.'}) {
      const std::string text(kLength, c);
      const size_t n_words = pretokenizer.words_of(text + "\nx").size();
      ASSERT_LE(n_words, 4u) << name << ": " << c;
    }
  }
}

TEST(PreTokenizer, NothingHasNoWords) { EXPECT_TRUE(PreTokenizer("gpt-2").words_of("").empty()); }

TEST(PreTokenizer, AnUnknownNameListsTheKnownOnes) {
  try {
    PreTokenizer("klingon");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("\"klingon\""));
    EXPECT_THAT(error.what(), HasSubstr("gpt-2, gpt2, smollm, llama-bpe, llama3, llama-v3, qwen2, default"));
  }
}

}  // namespace
}  // namespace ferry
