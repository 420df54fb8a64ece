#include "core/text/vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/text/merge_table.h"
#include "tests/support/tokenizer_data.h"

namespace ferry {
namespace {

using testing::HasSubstr;

std::string error_of(const TokenizerData& data) {
  try {
    const Vocabulary vocabulary(data);
    MergeTable(vocabulary, data.merges);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Vocabulary, NormalTokensAreSpelledOthersAreWrittenOut) {
  TokenizerData data = byte_level_data({"Ġ a"});
  const int control = add_token(data, "<|Ġ|>", TokenKind::control);
  const int added = add_token(data, "日本", TokenKind::user_defined);
  const int padding = add_token(data, "", TokenKind::unused);
  const int outside = add_token(data, "▁x", TokenKind::normal);
  const Vocabulary vocabulary(data);
  EXPECT_EQ(vocabulary.n_tokens(), 261);
  EXPECT_EQ(vocabulary.bytes_of(256), " a");
  EXPECT_EQ(vocabulary.bytes_of(control), "<|Ġ|>");
  EXPECT_EQ(vocabulary.bytes_of(added), "日本");
  EXPECT_EQ(vocabulary.bytes_of(padding), "");
  EXPECT_EQ(vocabulary.bytes_of(outside), "▁x");
  EXPECT_EQ(vocabulary.kind_of(control), TokenKind::control);
}

TEST(Vocabulary, PlainTextNeverIsAControlToken) {
  TokenizerData data = byte_level_data({"a b"});
  add_token(data, "<s>", TokenKind::control);
  const Vocabulary vocabulary(data);
  EXPECT_EQ(vocabulary.word("ab"), 256);
  EXPECT_EQ(vocabulary.word("<s>"), std::nullopt);
  EXPECT_EQ(vocabulary.word(""), std::nullopt);
}

TEST(Vocabulary, AnIdOutsideIsAnError) {
  const Vocabulary vocabulary(byte_level_data());
  EXPECT_THROW(vocabulary.bytes_of(256), Error);
  EXPECT_THROW(vocabulary.bytes_of(-1), Error);
  EXPECT_THROW(vocabulary.kind_of(256), Error);
}

TEST(Vocabulary, DamageIsNamed) {
  EXPECT_THAT(error_of({}), HasSubstr("no vocabulary"));

  TokenizerData short_kinds = byte_level_data();
  short_kinds.kinds.pop_back();
  EXPECT_THAT(error_of(short_kinds), HasSubstr("256 tokens, but 255 token types"));

  TokenizerData twice = byte_level_data();
  add_token(twice, "a", TokenKind::normal);
  EXPECT_THAT(error_of(twice), HasSubstr("tokens 97 and 256 are both \"a\""));
}

TEST(MergeTable, FindsWhatTwoTokensBecome) {
  const TokenizerData data = byte_level_data({"a b", "ab c", "b c"});
  const Vocabulary vocabulary(data);
  const MergeTable table(vocabulary, data.merges);
  const Merge* merge = table.find(256, 'c');
  ASSERT_NE(merge, nullptr);
  EXPECT_EQ(merge->rank, 1);
  EXPECT_EQ(merge->merged, 257);
  EXPECT_EQ(table.find('b', 'a'), nullptr);
  EXPECT_EQ(table.find('c', 256), nullptr);
}

TEST(MergeTable, DamagedMergesAreNamed) {
  const auto error_with = [](const std::string& merge) {
    TokenizerData data = byte_level_data({"a b"});
    data.merges.push_back(merge);
    return error_of(data);
  };
  for (const char* merge : {"", " ", "ab", "a c", "a ", " a", "a b c", "xx y", "a\tb", "日 本"}) {
    EXPECT_THAT(error_with(merge), HasSubstr(std::string("merge 1, \"") + merge + "\", is not two tokens")) << merge;
  }
  EXPECT_THAT(error_with("a b"), HasSubstr("repeats merge 0"));
}

}  // namespace
}  // namespace ferry
