#include "core/model/gguf_text.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/base/error.h"
#include "tests/support/demo_model.h"
#include "tests/support/tiny_model.h"

namespace ferry {
namespace {

TokenizerData data_from(const GgufContent& content) {
  const auto bytes = gguf_bytes(content);
  return tokenizer_data_of(GgufFile("tiny", bytes));
}

std::string error_with(const std::string& key, const MetadataContent& value) {
  GgufContent content = tiny_model();
  content.set(key, value);
  try {
    data_from(content);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(GgufText, IsWhatTheDemoModelSays) {
  FERRY_DEMO_MODEL_OR_SKIP(path);
  const TokenizerData data = tokenizer_data_of(GgufFile(path));
  EXPECT_EQ(data.model, "gpt2");
  EXPECT_EQ(data.pre, "smollm");
  EXPECT_EQ(data.tokens.size(), 49152u);
  EXPECT_EQ(data.merges.size(), 48900u);
  EXPECT_EQ(data.merges[0], "Ġ t");
  EXPECT_EQ(data.kinds[0], TokenKind::control);
  EXPECT_EQ(data.kinds[1000], TokenKind::normal);
  EXPECT_EQ(data.begin, 1);
  EXPECT_EQ(data.end, 2);
  EXPECT_EQ(data.end_of_turn, 2);
  EXPECT_FALSE(data.add_begin);
  EXPECT_EQ(data.chat_template.substr(0, 29), "{% for message in messages %}");
}

TEST(GgufText, WhatAFileLeavesOutHasTheFormatsDefault) {
  GgufContent content = tiny_model();
  for (const char* part : {"pre", "token_type", "merges", "bos_token_id", "eos_token_id", "add_bos_token"}) {
    content.remove("tokenizer.ggml." + std::string(part));
  }
  content.remove("tokenizer.chat_template");
  const TokenizerData data = data_from(content);
  EXPECT_EQ(data.pre, "default");
  EXPECT_EQ(std::ranges::count(data.kinds, TokenKind::normal), 320);
  EXPECT_TRUE(data.merges.empty());
  EXPECT_EQ(data.begin, -1);
  EXPECT_EQ(data.end, -1);
  EXPECT_EQ(data.end_of_turn, -1);
  EXPECT_FALSE(data.add_begin);
  EXPECT_EQ(data.chat_template, "");
}

TEST(GgufText, TokenTypesAreKinds) {
  GgufContent content = tiny_model();
  std::vector<int32_t> types(320, 1);
  for (int32_t type = 0; type <= 6; ++type) types[static_cast<size_t>(type)] = type;
  content.set("tokenizer.ggml.token_type", types);
  const std::vector<TokenKind> kinds = data_from(content).kinds;
  const std::vector<TokenKind> expected = {TokenKind::normal,  TokenKind::normal,       TokenKind::unknown,
                                           TokenKind::control, TokenKind::user_defined, TokenKind::unused,
                                           TokenKind::byte,    TokenKind::normal};
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), kinds.begin()));
}

TEST(GgufText, TheEndOfATurnIsTheFilesOrElseKnownByItsName) {
  GgufContent content = tiny_model();
  EXPECT_EQ(data_from(content).end_of_turn, kTinyEnd);
  content.set("tokenizer.ggml.eot_token_id", 0u);
  EXPECT_EQ(data_from(content).end_of_turn, 0);
}

TEST(GgufText, VocabulariesThatContradictThemselvesAreRefused) {
  EXPECT_EQ(error_with("tokenizer.ggml.token_type", std::vector<int32_t>(3, 1)),
            "tiny: metadata 'tokenizer.ggml.token_type': has 3 items, but there are 320 tokens");
  EXPECT_EQ(error_with("tokenizer.ggml.token_type", std::vector<int32_t>(320, 7)),
            "tiny: metadata 'tokenizer.ggml.token_type': item 0 is 7, must be 0 to 6");
  EXPECT_EQ(error_with("tokenizer.ggml.eos_token_id", 320u),
            "tiny: metadata 'tokenizer.ggml.eos_token_id': is 320, must be 0 to 319");
  EXPECT_EQ(error_with("tokenizer.ggml.tokens", std::vector<int32_t>(3, 1)),
            "tiny: metadata 'tokenizer.ggml.tokens': is of type array of int32, not array of strings");
  EXPECT_EQ(error_with("tokenizer.ggml.tokens", std::vector<std::string>()),
            "tiny: metadata 'tokenizer.ggml.tokens': has 0 items, must be 1 to 2147483647");
}

}  // namespace
}  // namespace ferry
