#include "launch/api/token_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/launch/api/tiny_answer.h"

namespace ferry {
namespace {

using nlohmann::json;
using testing::HasSubstr;

using Call = std::variant<std::string, ApiError> (*)(std::string_view body, const TextModel&, const ApiRules&);

json good(Call call, const std::string& body) {
  const auto answer = call(body, tiny_text_model(), kTinyRules);
  const auto* text = std::get_if<std::string>(&answer);
  if (text == nullptr) {
    ADD_FAILURE() << body << ": " << std::get<ApiError>(answer).message;
    return {};
  }
  return json::parse(*text);
}

void expect_refused(Call call, const std::string& body, const std::string& param, const char* says, int status = 400) {
  const auto answer = call(body, tiny_text_model(), kTinyRules);
  const auto* error = std::get_if<ApiError>(&answer);
  ASSERT_NE(error, nullptr) << body.substr(0, 200);
  EXPECT_EQ(error->status, status) << body.substr(0, 200);
  EXPECT_EQ(error->param.value_or(""), param) << body.substr(0, 200);
  EXPECT_EQ(error->code.has_value(), !param.empty()) << body.substr(0, 200);
  EXPECT_THAT(error->message, HasSubstr(says));
}

TEST(TokenCalls, ATextBecomesTokensAndTokensBecomeIt) {
  EXPECT_EQ(good(tokenize, R"({"prompt":"AB","model":"tiny"})"),
            json::parse(R"({"tokens":[68,69],"count":2,"max_model_len":512})"));
  EXPECT_EQ(good(detokenize, R"({"tokens":[68,69],"model":null})"), json::parse(R"({"prompt":"AB"})"));
  EXPECT_EQ(good(tokenize, R"({"prompt":""})")["tokens"], json::array());
  EXPECT_EQ(good(detokenize, R"({"tokens":[]})")["prompt"], "");
  const json ids = good(tokenize, R"({"prompt":"Grüße 🚢","add_special_tokens":false})")["tokens"];
  EXPECT_EQ(good(detokenize, json{{"tokens", ids}}.dump())["prompt"], "Grüße 🚢");
}

TEST(TokenCalls, PiecesOfACharacterAreReplaced) {
  EXPECT_EQ(good(detokenize, json{{"tokens", byte_tokens("a\xc3")}}.dump())["prompt"], "a\xef\xbf\xbd");
}

TEST(TokenCalls, AConversationBecomesTheTokensThatACompletionWouldHave) {
  const std::string messages = R"({"messages":[{"role":"user","content":"hi"}]})";
  EXPECT_EQ(good(tokenize, messages)["tokens"], json(ask(Endpoint::chat, messages).requests.at(0).prompt));
}

TEST(TokenCalls, WhatIsNoCallIsRefused) {
  for (const Call call : {&tokenize, &detokenize}) {
    expect_refused(call, "", "", "not valid JSON");
    expect_refused(call, "[]", "", "must be a JSON object");
    expect_refused(call, std::string(100'000, '['), "", "nested deeper");
    expect_refused(call, "{\"prompt\":\"\xff\"}", "", "not valid JSON");
    expect_refused(call, R"({"model":"other"})", "model", "does not exist", 404);
    expect_refused(call, R"({"model":7})", "model", "expected text");
    expect_refused(call, R"({"text":"a"})", "text", "unknown field");
  }
  expect_refused(tokenize, "{}", "prompt", "missing");
  expect_refused(tokenize, R"({"prompt":["a"]})", "prompt", "expected text");
  expect_refused(tokenize, R"({"prompt":"a","messages":[{"role":"user","content":"a"}]})", "prompt", "beside messages");
  expect_refused(tokenize, R"({"messages":[{"role":"user"}]})", "messages", "content is missing");
  expect_refused(tokenize, R"({"prompt":"a","add_special_tokens":1})", "add_special_tokens", "true or false");
  expect_refused(detokenize, "{}", "tokens", "missing");
  expect_refused(detokenize, R"({"tokens":"a"})", "tokens", "a list of token ids");
  expect_refused(detokenize, R"({"tokens":[-1]})", "tokens", "item 0");
  expect_refused(detokenize, R"({"tokens":[68,300]})", "tokens", "Token 300 is not in the vocabulary of 300");
}

}  // namespace
}  // namespace ferry
