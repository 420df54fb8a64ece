#include "core/text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "core/base/error.h"
#include "core/model/gguf_text.h"
#include "tests/support/demo_model.h"
#include "tests/support/reference.h"
#include "tests/support/tokenizer_data.h"

namespace ferry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using enum SpecialTokens;

Tokenizer demo_tokenizer(const std::string& path) { return Tokenizer(tokenizer_data_of(GgufFile(path))); }

SpecialTokens special_of(const nlohmann::json& expected) { return expected.at("special").get<bool>() ? parsed : plain; }

std::string error_of(const TokenizerData& data) {
  try {
    Tokenizer tokenizer(data);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Tokenizer, GivesTheGoldenTokensOfTheDemoModel) {
  FERRY_DEMO_MODEL_OR_SKIP(path);
  const Tokenizer tokenizer = demo_tokenizer(path);
  for (const nlohmann::json& expected : json_lines_of_data("tokenizer-smollm2.jsonl")) {
    EXPECT_EQ(tokenizer.encode(expected.at("text").get<std::string>(), special_of(expected)),
              expected.at("ids").get<std::vector<int>>())
        << expected;
  }
}

TEST(Tokenizer, GivesTheReferencesTokensForRandomText) {
  FERRY_DEMO_MODEL_OR_SKIP(path);
  const Tokenizer tokenizer = demo_tokenizer(path);
  for (const nlohmann::json& expected : json_lines_of_data("tokens_reference.jsonl")) {
    const std::vector<int> ids = tokenizer.encode(expected.at("text").get<std::string>(), special_of(expected));
    ASSERT_EQ(ids.size(), expected.at("n").get<size_t>()) << expected;
    ASSERT_EQ(fnv1a_of(ids), expected.at("hash").get<std::string>()) << expected;
  }
}

TEST(Tokenizer, KnowsTheDemoModelsTokens) {
  FERRY_DEMO_MODEL_OR_SKIP(path);
  const Tokenizer tokenizer = demo_tokenizer(path);
  EXPECT_EQ(tokenizer.n_vocab(), 49152);
  EXPECT_EQ(tokenizer.token_of("<|im_end|>"), 2);
  EXPECT_EQ(tokenizer.token_of(" world"), 905);
  EXPECT_EQ(tokenizer.token_of("no such token"), std::nullopt);
  EXPECT_TRUE(tokenizer.is_end(2));
  EXPECT_TRUE(tokenizer.is_end(0));  // <|endoftext|>, which the file does not name as an end
  EXPECT_FALSE(tokenizer.is_end(1));
  EXPECT_TRUE(tokenizer.is_control(1));
  EXPECT_FALSE(tokenizer.is_control(905));
  EXPECT_EQ(tokenizer.encode_prompt("a", plain), tokenizer.encode("a", plain));  // the file asks for no begin token
}

std::string random_text(std::mt19937_64& random) {
  const std::vector<std::string> parts = {
      "a",   "b",  "ab", " ",  "\n", "1",      "é",     "日", "🚀", std::string(1, '\0'),
      "<s>", "'s", "!?", "  ", "<s", "<tool>", "\u0301"};
  std::string text;
  for (size_t n = random() % 30; n > 0; --n) text += parts[random() % parts.size()];
  return text;
}

TokenizerData small_data() {
  TokenizerData data = byte_level_data({"a b", "Ġ a", "Ã ©"});
  data.begin = add_token(data, "<s>", TokenKind::control);
  data.end = add_token(data, "</s>", TokenKind::control);
  add_token(data, "<tool>", TokenKind::user_defined);
  add_token(data, "<tool>call", TokenKind::control);
  return data;
}

TEST(Tokenizer, DecodingGivesBackWhatWasEncoded) {
  const uint64_t seed = 5;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for (const char* pre : {"gpt-2", "smollm", "llama-bpe", "qwen2", "default"}) {
    TokenizerData data = small_data();
    data.pre = pre;
    const Tokenizer tokenizer(data);
    for (int i = 0; i < 300; ++i) {
      const std::string text = random_text(random);
      ASSERT_EQ(tokenizer.decode(tokenizer.encode(text, plain)), text);
    }
  }
}

TEST(Tokenizer, ControlTokensAreParsedOnlyWhenAsked) {
  const Tokenizer tokenizer(small_data());
  const int begin = *tokenizer.token_of("<s>");
  EXPECT_THAT(tokenizer.encode("<s>x<s", parsed), ElementsAre(begin, 'x', '<', 's'));
  EXPECT_THAT(tokenizer.encode("<s>x", plain), ElementsAre('<', 's', '>', 'x'));
}

TEST(Tokenizer, AddedWordsAreFoundInPlainTextAndTheLongestNameWins) {
  const Tokenizer tokenizer(small_data());
  const int tool = *tokenizer.token_of("<tool>");
  const int call = *tokenizer.token_of("<tool>call");
  EXPECT_THAT(tokenizer.encode("x<tool>call", plain), ElementsAre('x', tool, 'c', 'a', 'l', 'l'));
  EXPECT_THAT(tokenizer.encode("x<tool>call<tool>", parsed), ElementsAre('x', call, tool));
}

TEST(Tokenizer, WordsGoOnOverTheBordersOfPieces) {
  const Tokenizer tokenizer(small_data());
  const std::vector<TextPiece> pieces = {{"<s>a", parsed}, {"b<s", plain}, {"><s>", parsed}};
  EXPECT_THAT(tokenizer.encode(pieces), ElementsAre(*tokenizer.token_of("<s>"), *tokenizer.token_of("ab"), '<', 's',
                                                    '>', *tokenizer.token_of("<s>")));
}

TEST(Tokenizer, APromptBeginsWithOneBeginTokenWhereTheFileAsksForIt) {
  TokenizerData data = small_data();
  data.add_begin = true;
  const Tokenizer tokenizer(data);
  EXPECT_THAT(tokenizer.encode_prompt("x", plain), ElementsAre(data.begin, 'x'));
  EXPECT_THAT(tokenizer.encode_prompt("", plain), ElementsAre(data.begin));
  EXPECT_THAT(tokenizer.encode_prompt("<s>x", parsed), ElementsAre(data.begin, 'x'));
  EXPECT_THAT(tokenizer.encode("x", plain), ElementsAre('x'));
}

TEST(Tokenizer, WholeWordsAreTakenOnlyWhereTheModelDoes) {
  // "abc" is a token that no merge leads to.
  TokenizerData data = byte_level_data({"a b"});
  const int whole = add_token(data, "abc", TokenKind::normal);
  data.pre = "llama-bpe";
  EXPECT_THAT(Tokenizer(data).encode("abc", plain), ElementsAre(whole));
  data.pre = "qwen2";
  EXPECT_THAT(Tokenizer(data).encode("abc", plain), ElementsAre(256, 'c'));
}

TEST(Tokenizer, TextThatIsNotUtf8IsRefusedWithItsPlace) {
  const Tokenizer tokenizer(small_data());
  try {
    tokenizer.encode("ab\xff", plain);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("not valid UTF-8 at byte 2"));
  }
}

TEST(Tokenizer, DecodingLeavesOutControlTokensAndReplacesWhatIsNoText) {
  const Tokenizer tokenizer(small_data());
  const std::vector<int> ids = {*tokenizer.token_of("<s>"), 'a', 0xf0, 0x9f, *tokenizer.token_of("<tool>")};
  EXPECT_EQ(tokenizer.decode(ids), "a\ufffd<tool>");
  EXPECT_THROW(tokenizer.decode(std::vector<int>{99999}), Error);
}

TEST(Tokenizer, MayBeUsedByManyThreads) {
  const Tokenizer tokenizer(small_data());
  const std::string text = "ab a 'é日🚀 <s> 12";
  const std::vector<int> expected = tokenizer.encode(text, parsed);
  std::vector<int> n_equal(4, 0);
  std::vector<std::thread> threads;
  for (int& n : n_equal) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) n += tokenizer.encode(text, parsed) == expected;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(n_equal, testing::Each(100));
}

TEST(Tokenizer, AVocabularyThatCannotBeUsedIsNamed) {
  const auto with = [](auto change) {
    TokenizerData data = small_data();
    change(data);
    return error_of(data);
  };
  EXPECT_THAT(with([](auto& d) { d.model = "llama"; }), HasSubstr("\"llama\" (tokenizer.ggml.model) is not known"));
  EXPECT_THAT(with([](auto& d) { d.pre = "x"; }), HasSubstr("pre-tokenizer \"x\""));
  EXPECT_THAT(with([](auto& d) { d.begin = 5000; }), HasSubstr("begin token is 5000"));
  EXPECT_THAT(with([](auto& d) { d.end = 5000; }), HasSubstr("end token is 5000"));
  EXPECT_THAT(with([](auto& d) { d.begin = -1, d.add_begin = true; }), HasSubstr("names none"));
  EXPECT_THAT(with([](auto& d) { add_token(d, "\xff", TokenKind::control); }), HasSubstr("is not UTF-8"));
}

}  // namespace
}  // namespace ferry
