#include "launch/commands/tokenize.h"

#include <gtest/gtest.h>

#include <sstream>

namespace ferry {
namespace {

// A vocabulary of letters, one merge and a control token: what is tested here is the lines, not the tokenizer.
TokenizerData letters() {
  TokenizerData data;
  data.model = "gpt2";
  data.pre = "default";
  data.tokens = {"<|end|>", "a", "b", "ab", "Ã", "¼"};  // the last two: the bytes of ü in the byte-level alphabet
  data.kinds = {TokenKind::control, TokenKind::normal, TokenKind::normal,
                TokenKind::normal,  TokenKind::normal, TokenKind::normal};
  data.merges = {"a b"};
  return data;
}

struct Answer {
  int exit_code = 0;
  std::string out;
  std::string errors;
};

class TokenizeTest : public testing::Test {
 protected:
  Answer ask(const std::string& lines, TokenizeDirection direction, SpecialTokens special = SpecialTokens::plain) {
    std::istringstream in(lines);
    std::ostringstream out, errors;
    const Tokenize tokenize{.tokenizer = tokenizer_, .direction = direction, .special = special};
    const int exit_code = tokenize.lines(in, out, errors);
    return {exit_code, out.str(), errors.str()};
  }

  Tokenizer tokenizer_{letters()};
};

TEST_F(TokenizeTest, EachTextBecomesAListOfIds) {
  const Answer answer = ask("\"abba\"\n\n\"\"\n", TokenizeDirection::text_to_ids);
  EXPECT_EQ(answer.out, "[3,2,1]\n[]\n");
  EXPECT_EQ(answer.exit_code, 0);
}

TEST_F(TokenizeTest, NamesOfControlTokensAreTokensOnlyWhereThatIsAskedFor) {
  EXPECT_EQ(ask("\"a<|end|>\"", TokenizeDirection::text_to_ids, SpecialTokens::parsed).out, "[1,0]\n");
  EXPECT_EQ(ask("\"a<|end|>\"", TokenizeDirection::text_to_ids).out, "[1]\n") << "this vocabulary has no < e n d";
}

TEST_F(TokenizeTest, IdsBecomeTextWithWhatIsIncompleteReplaced) {
  EXPECT_EQ(ask("[3,0,4,5]\n[4]\n[]\n", TokenizeDirection::ids_to_text).out, "\"abü\"\n\"\xEF\xBF\xBD\"\n\"\"\n");
  EXPECT_EQ(ask("[3,0]", TokenizeDirection::ids_to_text, SpecialTokens::parsed).out, "\"ab<|end|>\"\n");
}

TEST_F(TokenizeTest, ABadLineIsNamedAndTheOthersAreAnswered) {
  const Answer answer = ask("\"a\"\nplain\n[1]\n\"b\"\n", TokenizeDirection::text_to_ids);
  EXPECT_EQ(answer.exit_code, 3);
  EXPECT_EQ(answer.out, "[1]\n[2]\n");
  EXPECT_EQ(answer.errors,
            "ferry: line 2: not valid JSON: column 1: syntax error while parsing value - invalid literal\n"
            "ferry: line 3: expected a text in quotes, such as \"Hello\"\n");
}

TEST_F(TokenizeTest, IdsOutsideTheVocabularyAreRefused) {
  const Answer answer = ask("[6]\n[-1]\n[1.0]\n\"a\"\n", TokenizeDirection::ids_to_text);
  EXPECT_EQ(answer.exit_code, 3);
  EXPECT_EQ(answer.errors,
            "ferry: line 1: item 0: expected a token id below 6\n"
            "ferry: line 2: item 0: expected a token id below 6\n"
            "ferry: line 3: item 0: expected a token id below 6\n"
            "ferry: line 4: expected a list of token ids, such as [1, 2]\n");
}

}  // namespace
}  // namespace ferry
