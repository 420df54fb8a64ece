#include "launch/api/logprobs.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/launch/api/tiny_answer.h"

namespace ferry {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr int kA = kTinyFirstByte + 'A';
constexpr int kB = kTinyFirstByte + 'B';
constexpr int kHalf = kTinyFirstByte + 0xc3;  // the first byte of é

const Tokenizer& tokenizer() { return tiny_text_model().tokenizer(); }

TEST(Logprobs, OfAChatNameTheBytesOfEachToken) {
  const std::vector<Token> tokens = {{.id = kA, .logprob = -0.1f, .top = {{kA, -0.1f}, {kHalf, -2}}}};
  EXPECT_EQ(json(chat_logprobs(tokens, tokenizer())), json::parse(R"({"content":[
    {"token":"A","logprob":-0.1,"bytes":[65],"top_logprobs":[
      {"token":"A","logprob":-0.1,"bytes":[65]},
      {"token":"\\xc3","logprob":-2.0,"bytes":[195]}]}],"refusal":null})"));
}

TEST(Logprobs, OfATextAreListsThatGoTogether) {
  const std::vector<Token> tokens = {{.id = kA, .logprob = -0.1f, .top = {{kB, -0.05f}}},
                                     {.id = kHalf, .logprob = -1},
                                     {.id = kTinyEnd, .logprob = -3}};
  size_t offset = 7;
  EXPECT_EQ(json(text_logprobs(tokens, tokenizer(), offset)), json::parse(R"({
    "tokens":["A","bytes:\\xc3","<|im_end|>"],
    "token_logprobs":[-0.1,-1.0,-3.0],
    "top_logprobs":[{"B":-0.05,"A":-0.1},{"bytes:\\xc3":-1.0},{"<|im_end|>":-3.0}],
    "text_offset":[7,8,9]})"));
  EXPECT_EQ(offset, 9u) << "a control token is no text";
}

TEST(Logprobs, WhatCannotComeHasANumberThatJsonHas) {
  const std::vector<Token> tokens = {{.id = kA, .logprob = -INFINITY}, {.id = kA, .logprob = NAN}};
  const ordered_json all = chat_logprobs(tokens, tokenizer());
  for (const auto& entry : all["content"]) EXPECT_EQ(entry["logprob"], -9999.0);
}

TEST(Logprobs, TokensWithoutANameAreToldByTheirNumber) {
  const std::vector<Token> tokens = {
      {.id = kNamelessToken, .logprob = -1, .top = {{kNamelessToken, -1}, {kNamelessToken + 1, -2}}}};
  const ordered_json chat = chat_logprobs(tokens, tokenizer())["content"][0];
  EXPECT_EQ(chat["token"], "token_id:310");
  EXPECT_TRUE(chat["bytes"].is_null());
  EXPECT_EQ(chat["top_logprobs"][1]["token"], "token_id:311");
  size_t offset = 0;
  const ordered_json text = text_logprobs(tokens, tokenizer(), offset);
  EXPECT_EQ(text["top_logprobs"][0].size(), 2u);
  EXPECT_EQ(offset, 0u);
}

}  // namespace
}  // namespace ferry
