#include "core/text/detokenizer.h"

#include <gtest/gtest.h>

#include <random>

#include "core/model/gguf_text.h"
#include "core/text/unicode/utf8.h"
#include "tests/support/demo_model.h"
#include "tests/support/reference.h"
#include "tests/support/tokenizer_data.h"

namespace ferry {
namespace {

TEST(Detokenizer, ShowsTheGoldenPiecesOfTheDemoModel) {
  FERRY_DEMO_MODEL_OR_SKIP(path);
  const Tokenizer tokenizer(tokenizer_data_of(GgufFile(path)));
  for (const nlohmann::json& expected : json_lines_of_data("detokenize-smollm2.jsonl")) {
    Detokenizer detokenizer(tokenizer);
    std::vector<std::string> pieces;
    for (const int id : expected.at("ids")) pieces.push_back(detokenizer.append(id));
    EXPECT_EQ(pieces, expected.at("pieces").get<std::vector<std::string>>());
    EXPECT_EQ(detokenizer.flush(), expected.at("flush").get<std::string>());
  }
}

TEST(Detokenizer, PiecesAreValidAndTogetherTheDecodedText) {
  const uint64_t seed = 17;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  const Tokenizer tokenizer(byte_level_data());
  // Bytes that begin, continue and break characters.
  const std::vector<int> bytes = {'a', 0x80, 0xbf, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xed, 0xa0, 0xf0, 0x9f, 0x9a, 0xff};
  for (int round = 0; round < 2000; ++round) {
    Detokenizer detokenizer(tokenizer);
    std::vector<int> ids(random() % 12);
    std::string shown;
    for (int& id : ids) {
      id = bytes[random() % bytes.size()];
      const std::string piece = detokenizer.append(id);
      ASSERT_FALSE(first_invalid_utf8(piece)) << testing::PrintToString(ids);
      shown += piece;
    }
    shown += detokenizer.flush();
    ASSERT_EQ(shown, tokenizer.decode(ids)) << testing::PrintToString(ids);
  }
}

TEST(Detokenizer, ControlTokensAreShownOnlyWhenAsked) {
  TokenizerData data = byte_level_data();
  const int control = add_token(data, "<s>", TokenKind::control);
  const Tokenizer tokenizer(data);
  Detokenizer hiding(tokenizer);
  Detokenizer showing(tokenizer, ControlTokens::shown);
  EXPECT_EQ(hiding.append(control), "");
  EXPECT_EQ(showing.append(control), "<s>");
}

TEST(Detokenizer, FlushingBeginsAnew) {
  const Tokenizer tokenizer(byte_level_data());
  Detokenizer detokenizer(tokenizer);
  EXPECT_EQ(detokenizer.append(0xc3), "");
  EXPECT_EQ(detokenizer.flush(), "\ufffd");
  EXPECT_EQ(detokenizer.append('a'), "a");
  EXPECT_EQ(detokenizer.flush(), "");
}

}  // namespace
}  // namespace ferry
