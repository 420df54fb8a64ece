#include "launch/io/prompts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "core/base/codec.h"
#include "launch/io/json_line.h"

namespace ferry {
namespace {

PromptLine good(const std::string& text) {
  const PromptEntry entry = parse_prompt(text, 1);
  if (const auto* bad = std::get_if<BadLine>(&entry)) ADD_FAILURE() << text << ": " << bad->why;
  return std::holds_alternative<PromptLine>(entry) ? std::get<PromptLine>(entry) : PromptLine{};
}

std::string why(const std::string& text) {
  const PromptEntry entry = parse_prompt(text, 1);
  const auto* bad = std::get_if<BadLine>(&entry);
  return bad == nullptr ? "no error" : bad->why;
}

TEST(Prompts, TextMessagesAndIdsAreRead) {
  EXPECT_EQ(std::get<std::string>(good(R"({"id":"a","prompt":"Grüße"})").prompt), "Grüße");
  EXPECT_EQ(std::get<std::vector<int>>(good(R"({"prompt_ids":[1,0,2147483647]})").prompt),
            (std::vector<int>{1, 0, 2147483647}));
  const auto messages = std::get<std::vector<Message>>(
      good(R"({"messages":[{"role":"system","content":""},{"content":"hi","role":"user"}]})").prompt);
  EXPECT_EQ(messages, (std::vector<Message>{{"system", ""}, {"user", "hi"}}));
}

TEST(Prompts, SettingsAreReadAndAbsentOnesStayUnset) {
  const PromptLine p =
      good(R"({"id":"x","prompt":"a","max_tokens":7,"temperature":0.5,"top_p":1,"top_k":40,"min_p":0.25,)"
           R"("seed":18446744073709551615,"stop":["\n","END"],"ignore_eos":true,"logprobs":2})");
  EXPECT_EQ(p.id, "x");
  const Generation& g = p.generation;
  EXPECT_EQ(g.max_tokens, 7);
  EXPECT_EQ(g.sampling.temperature, 0.5f);
  EXPECT_EQ(g.sampling.top_p, 1.0f);
  EXPECT_EQ(g.sampling.top_k, 40);
  EXPECT_EQ(g.sampling.min_p, 0.25f);
  EXPECT_EQ(g.seed, UINT64_MAX);
  EXPECT_EQ(g.stop, (std::vector<std::string>{"\n", "END"}));
  EXPECT_TRUE(g.ignore_eos);
  EXPECT_EQ(g.logprobs, 2);
}

TEST(Prompts, PenaltiesBiasesAndTheLeastNumberOfTokensAreRead) {
  const Generation g = good(R"({"prompt":"a","min_tokens":3,"presence_penalty":-2,"frequency_penalty":0.5,)"
                            R"("repetition_penalty":1.25,"logit_bias":{"7":-100,"12":1.5},"seed":-1})")
                           .generation;
  EXPECT_EQ(g.min_tokens, 3);
  EXPECT_EQ(g.sampling.presence_penalty, -2.0f);
  EXPECT_EQ(g.sampling.frequency_penalty, 0.5f);
  EXPECT_EQ(g.sampling.repetition_penalty, 1.25f);
  EXPECT_EQ(g.sampling.logit_bias, (std::vector<LogitBias>{{12, 1.5f}, {7, -100}}));
  EXPECT_EQ(g.seed, UINT64_MAX);
}

TEST(Prompts, WhatALineDoesNotSayStaysUnset) {
  const PromptLine plain = good(R"({"prompt":"a","stop":"x"})");
  EXPECT_EQ(plain.id, "line-1");
  EXPECT_EQ(plain.generation.stop, std::vector<std::string>{"x"});
  EXPECT_EQ(plain.generation.max_tokens, std::nullopt);
  EXPECT_EQ(plain.generation.seed, std::nullopt);
  EXPECT_EQ(plain.generation.logprobs, std::nullopt);
  EXPECT_EQ(pack(plain.generation.sampling), pack(Sampling{}));
  EXPECT_FALSE(plain.generation.ignore_eos);
}

TEST(Prompts, EachMistakeIsNamed) {
  const std::vector<std::pair<std::string, std::string>> mistakes = {
      {R"("just text")", "not a prompt: expected an object, found text"},
      {R"([])", "not a prompt: expected an object, found an empty list"},
      {R"({})", "one of prompt, messages and prompt_ids is missing"},
      {R"({"prompt":"a","messages":[{"role":"user","content":"b"}]})",
       "only one of prompt, messages and prompt_ids can be given"},
      {R"({"promt":"a"})", "unknown field 'promt'; did you mean 'prompt'?"},
      {R"({"prompt":"a","max_token":1})", "unknown field 'max_token'; did you mean 'max_tokens'?"},
      {R"({"prompt":""})", "prompt: expected text, found empty text"},
      {R"({"prompt":7})", "prompt: expected text, found 7"},
      {R"({"prompt":null})", "prompt: expected text, found null"},
      {R"({"prompt":"a","prompt":"b"})", "field 'prompt' is given twice"},
      {R"({"messages":[{"role":"user","content":"a","role":"system"}]})", "field 'role' is given twice"},
      {R"({"id":3,"prompt":"a"})", "id: expected text, found 3"},
      {R"({"prompt_ids":[]})", "prompt_ids: expected a list of token ids, found an empty list"},
      {R"({"prompt_ids":[1,-2]})", "prompt_ids: item 1: expected a whole number from 0 to 2147483647, found -2"},
      {R"({"prompt_ids":[1.5]})", "prompt_ids: item 0: expected a whole number from 0 to 2147483647, found 1.5"},
      {R"({"prompt_ids":[2147483648]})",
       "prompt_ids: item 0: expected a whole number from 0 to 2147483647, found 2147483648"},
      {R"({"messages":[]})", "messages: expected a list of messages, found an empty list"},
      {R"({"messages":["hi"]})", "messages: message 0: expected an object with role and content, found text"},
      {R"({"messages":[{"role":"user"}]})", "messages: message 0: content is missing"},
      {R"({"messages":[{"content":"a"}]})", "messages: message 0: role is missing"},
      {R"({"messages":[{"role":"user","content":"a","name":"b"}]})", "messages: message 0: unknown field 'name'"},
      {R"({"messages":[{"role":"user","content":[1]}]})", "messages: message 0: content: expected text, found a list"},
      {R"({"prompt":"a","max_tokens":0})", "max_tokens: expected a whole number from 1 to 2147483647, found 0"},
      {R"({"prompt":"a","max_tokens":true})", "max_tokens: expected a whole number from 1 to 2147483647, found true"},
      {R"({"prompt":"a","temperature":-0.1})", "temperature: expected a number from 0 to 100, found -0.1"},
      {R"({"prompt":"a","temperature":NaN})",
       "not valid JSON: column 29: syntax error while parsing value - invalid literal"},
      {R"({"prompt":"a","temperature":1e999})", "not valid JSON: number overflow parsing '1e999'"},
      {R"({"prompt":"a","top_p":1.01})", "top_p: expected a number from 0 to 1, found 1.01"},
      {R"({"prompt":"a","seed":0.5})", "seed: expected a whole number of 64 bits, found 0.5"},
      {R"({"prompt":"a","seed":18446744073709551616})",
       "seed: expected a whole number of 64 bits, found 1.8446744073709552e+19"},
      {R"({"prompt":"a","min_tokens":-1})", "min_tokens: expected a whole number from 0 to 2147483647, found -1"},
      {R"({"prompt":"a","presence_penalty":2.5})", "presence_penalty: expected a number from -2 to 2, found 2.5"},
      {R"({"prompt":"a","repetition_penalty":0})", "repetition_penalty: expected a number from 0.01 to 100, found 0"},
      {R"({"prompt":"a","logit_bias":[]})",
       "logit_bias: expected an object of token ids and biases, found an empty list"},
      {R"({"prompt":"a","logit_bias":{"x":1}})", "logit_bias: 'x' is no token id"},
      {R"({"prompt":"a","logit_bias":{"-1":1}})", "logit_bias: '-1' is no token id"},
      {R"({"prompt":"a","logit_bias":{"1":101}})",
       "logit_bias: token 1: expected a number from -100 to 100, found 101"},
      {R"({"prompt":"a","stop":[""]})", "stop: item 0: expected text, found empty text"},
      {R"({"prompt":"a","stop":{}})", "stop: expected text or a list of texts, found an object"},
      {R"({"prompt":"a","ignore_eos":1})", "ignore_eos: expected true or false, found 1"},
      {R"({"prompt":"a","logprobs":101})", "logprobs: expected a whole number from 0 to 100, found 101"},
      {R"({"prompt":"a")",
       "not valid JSON: column 14: syntax error while parsing object - unexpected end of input; expected '}'"},
      {R"({"prompt":"a"} x)", "not valid JSON: column 16: syntax error while parsing value - invalid literal"},
  };
  for (const auto& [line, message] : mistakes) EXPECT_EQ(why(line), message) << line;
}

TEST(Prompts, InvalidUtf8IsAMistakeAndNeverRepeated) {
  for (const std::string bad : {"\xff", "\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\\ud800"}) {
    const std::string message = why("{\"prompt\":\"" + bad + "\"}");
    EXPECT_THAT(message, testing::StartsWith("not valid JSON: ")) << bad;
    EXPECT_THAT(message, testing::Not(testing::HasSubstr(bad)));
  }
  EXPECT_THAT(why("{\"prompt\xff\":\"a\"}"), testing::StartsWith("not valid JSON: "));
}

TEST(Prompts, DeepNestingIsRefusedBeforeItCosts) {
  EXPECT_EQ(why("{\"prompt\":" + std::string(1'000'000, '[')), "nested deeper than 8 levels");
}

TEST(Prompts, ABadLineKeepsItsIdAndTheOthersAreAnswered) {
  std::istringstream in(
      "{\"prompt\":\"a\"}\r\n"
      "\n"
      "{\"id\":\"b\",\"prompt\":5}\n"
      "nonsense\n"
      "{\"id\":\"d\",\"prompt\":\"d\"}");
  const std::vector<PromptEntry> entries = read_prompts(in);
  ASSERT_EQ(entries.size(), 4u);
  EXPECT_EQ(std::get<PromptLine>(entries[0]).id, "line-1");
  EXPECT_EQ(std::get<BadLine>(entries[1]).id, "b");
  EXPECT_EQ(std::get<BadLine>(entries[1]).line, 3);
  EXPECT_EQ(std::get<BadLine>(entries[2]).id, "line-4");
  EXPECT_EQ(std::get<PromptLine>(entries[3]).id, "d");
  EXPECT_EQ(std::get<PromptLine>(entries[3]).line, 5);
}

TEST(Prompts, ALineLongerThanTheLimitIsAMistake) {
  const std::string letters(kMaxLineBytes, 'x');
  std::istringstream in("{\"prompt\":\"" + letters + "\"}\n{\"prompt\":\"b\"}\n");
  const std::vector<PromptEntry> entries = read_prompts(in);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(std::get<BadLine>(entries[0]).why, "longer than 16 MiB");
  EXPECT_EQ(std::get<PromptLine>(entries[1]).line, 2);
}

}  // namespace
}  // namespace ferry
