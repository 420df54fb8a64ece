#include "launch/api/completion_request.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace ferry {
namespace {

using testing::HasSubstr;

const ApiRules kRules = {.model = "tiny", .max_context = 512};

// A body of each endpoint with what it needs, and `more` besides: R"("n":2)".
std::string chat(const std::string& more = "") {
  return fmt::format(R"({{"messages":[{{"role":"user","content":"hi"}}]{}{}}})", more.empty() ? "" : ",", more);
}
std::string text(const std::string& more = "") {
  return fmt::format(R"({{"prompt":"hi"{}{}}})", more.empty() ? "" : ",", more);
}

CompletionRequest good(Endpoint endpoint, const std::string& body) {
  auto parsed = parse_completion(endpoint, body, kRules);
  if (const auto* error = std::get_if<ApiError>(&parsed)) {
    ADD_FAILURE() << body << ": " << error->message;
    return {};
  }
  return std::get<CompletionRequest>(std::move(parsed));
}

std::string repeated(const std::string& what, int n) {
  std::string all;
  for (int i = 0; i < n; ++i) all += what;
  return all;
}

struct Refused {
  std::string body;
  const char* param;  // nullptr: none
  const char* code;   // nullptr: none
  const char* says = "";
  int status = 400;
};

void expect_refused(Endpoint endpoint, const std::vector<Refused>& bodies) {
  for (const Refused& refused : bodies) {
    SCOPED_TRACE(refused.body.substr(0, 200));
    const auto parsed = parse_completion(endpoint, refused.body, kRules);
    const auto* error = std::get_if<ApiError>(&parsed);
    ASSERT_NE(error, nullptr) << "it is taken";
    EXPECT_EQ(error->status, refused.status);
    EXPECT_EQ(error->type, "invalid_request_error");
    EXPECT_EQ(error->param.value_or("none"), refused.param ? refused.param : "none");
    EXPECT_EQ(error->code.value_or("none"), refused.code ? refused.code : "none");
    EXPECT_THAT(error->message, HasSubstr(refused.says));
    EXPECT_LT(error->message.size(), 400u) << "what came back is not the body";
  }
}

// ---- what is no request

const std::vector<Refused> kNoObjects = {
    {"", nullptr, nullptr, "cannot be read"},
    {"{", nullptr, nullptr, "not valid JSON"},
    {"[]", nullptr, nullptr, "must be a JSON object"},
    {"\"hi\"", nullptr, nullptr, "must be a JSON object"},
    {"null", nullptr, nullptr, "must be a JSON object"},
    {"{} {}", nullptr, nullptr, "not valid JSON"},
    {"{\"prompt\":\"\xff\"}", nullptr, nullptr, "not valid JSON"},
    {"{\"prompt\":\"\xc3\"}", nullptr, nullptr, "not valid JSON"},
    {R"({"prompt":"\ud83d"})", nullptr, nullptr, "not valid JSON"},
    {R"({"prompt":"\ude00\ud83d"})", nullptr, nullptr, "not valid JSON"},
    {R"({"n":NaN})", nullptr, nullptr, "not valid JSON"},
    {R"({"temperature":1e999})", nullptr, nullptr, "not valid JSON"},
    {R"({"temperature":Infinity})", nullptr, nullptr, "not valid JSON"},
    {R"({"n":1,"n":2})", nullptr, nullptr, "field 'n' is given twice"},
    {R"({"messages":[{"role":"user","role":"user","content":"hi"}]})", nullptr, nullptr, "'role' is given twice"},
    {repeated("[", 100'000), nullptr, nullptr, "nested deeper than 32 levels"},
    {R"({"prompt":)" + repeated("[", 100'000) + repeated("]", 100'000) + "}", nullptr, nullptr, "nested deeper"},
    {repeated("{\"a\":", 100'000), nullptr, nullptr, "nested deeper than 32 levels"},
};

TEST(CompletionRequest, WhatIsNoJsonObjectIsRefusedByBothEndpoints) {
  expect_refused(Endpoint::chat, kNoObjects);
  expect_refused(Endpoint::text, kNoObjects);
}

// ---- fields of both endpoints

TEST(CompletionRequest, ValuesThatAreNoneOfTheFieldAreRefusedByItsName) {
  for (const Endpoint endpoint : {Endpoint::chat, Endpoint::text}) {
    const auto body = [endpoint](const std::string& more) {
      return endpoint == Endpoint::chat ? chat(more) : text(more);
    };
    const std::string long_stop = repeated("x", 4097);
    expect_refused(
        endpoint,
        {
            {body(R"("n":0)"), "n", "invalid_value", "a whole number from 1 to 128, found 0"},
            {body(R"("n":-1)"), "n", "invalid_value"},
            {body(R"("n":129)"), "n", "invalid_value"},
            {body(R"("n":1.5)"), "n", "invalid_value"},
            {body(R"("n":99999999999999999999)"), "n", "invalid_value"},
            {body(R"("max_tokens":0)"), "max_tokens", "invalid_value"},
            {body(R"("max_tokens":2147483648)"), "max_tokens", "invalid_value"},
            {body(R"("max_tokens":"7")"), "max_tokens", "invalid_value", "found text"},
            {body(R"("temperature":-0.5)"), "temperature", "invalid_value"},
            {body(R"("temperature":1e308)"), "temperature", "invalid_value"},
            {body(R"("temperature":"hot")"), "temperature", "invalid_value"},
            {body(R"("top_p":1.01)"), "top_p", "invalid_value"},
            {body(R"("presence_penalty":2.1)"), "presence_penalty", "invalid_value"},
            {body(R"("repetition_penalty":0)"), "repetition_penalty", "invalid_value"},
            {body(R"("seed":0.5)"), "seed", "invalid_value"},
            {body(R"("stop":"")"), "stop", "invalid_value", "empty text"},
            {body(R"("stop":["a",""])"), "stop", "invalid_value", "item 1"},
            {body(R"("stop":[)" + repeated(R"("a",)", 16) + R"("a"])"), "stop", "invalid_value", "more than 16"},
            {body(R"("stop":")" + long_stop + "\""), "stop", "invalid_value", "longer than 4096 bytes"},
            {body(R"("stop":["a",")" + long_stop + "\"]"), "stop", "invalid_value", "item 1: longer"},
            {body(R"("logit_bias":{"-1":1})"), "logit_bias", "invalid_value"},
            {body(R"("logit_bias":{"7 ":1})"), "logit_bias", "invalid_value"},
            {body(R"("logit_bias":{"7":101})"), "logit_bias", "invalid_value", "token 7"},
            {body(R"("logit_bias":[[7,1]])"), "logit_bias", "invalid_value"},
            {body(R"("ignore_eos":1)"), "ignore_eos", "invalid_value"},
            {body(R"("stream":"yes")"), "stream", "invalid_value"},
            {body(R"("stream_options":true,"stream":true)"), "stream_options", "invalid_value"},
            {body(R"("stream_options":{"usage":true},"stream":true)"), "stream_options", "invalid_value", "'usage'"},
            {body(R"("stream_options":{"include_usage":1},"stream":true)"), "stream_options", "invalid_value"},
            {body(R"("stream_options":{})"), "stream_options", nullptr, "only allowed when stream is true"},
            {body(R"("service_tier":"gold")"), "service_tier", "invalid_value", "\"priority\", found"},
            {body(R"("min_tokens":8,"max_tokens":7)"), "min_tokens", nullptr, "more than max_tokens"},
        });
  }
}

TEST(CompletionRequest, AnUnknownFieldIsRefusedWithTheNameThatWasMeant) {
  expect_refused(Endpoint::chat,
                 {{chat(R"("temprature":1)"), "temprature", "unknown_parameter", "did you mean 'temperature'?"},
                  {chat(R"("prompt":"hi")"), "prompt", "unknown_parameter"},
                  {chat(R"("":null)"), "", "unknown_parameter"}});
  expect_refused(Endpoint::text, {{text(R"("stpo":"x")"), "stpo", "unknown_parameter", "did you mean 'stop'?"},
                                  {text(R"("messages":[])"), "messages", "unknown_parameter"}});
}

TEST(CompletionRequest, AnotherModelIsNotFound) {
  const Refused other = {chat(R"("model":"gpt-4o")"), "model", "model_not_found", "'gpt-4o' does not exist", 404};
  expect_refused(Endpoint::chat, {other, {chat(R"("model":"")"), "model", "invalid_value"}});
  good(Endpoint::chat, chat(R"("model":"tiny")"));
  good(Endpoint::chat, chat());
}

TEST(CompletionRequest, MoreChoicesThanAllowedAreRefused) {
  const std::string many = R"({"prompt":[)" + repeated(R"("a",)", 64) + R"("a"],"n":2})";
  expect_refused(Endpoint::text, {{many, "prompt", nullptr, "65 prompts with n = 2 are 130 choices"}});
  EXPECT_EQ(good(Endpoint::text, R"({"prompt":["a","b"],"n":64})").n_choices(), 128u);
  const auto parsed = parse_completion(Endpoint::chat, chat(R"("n":3)"), {.model = "tiny", .most_choices = 2});
  ASSERT_TRUE(std::holds_alternative<ApiError>(parsed));
  EXPECT_EQ(std::get<ApiError>(parsed).param, "n");
}

TEST(CompletionRequest, FieldsAreRead) {
  const CompletionRequest r = good(Endpoint::chat, chat(R"("n":3,"max_completion_tokens":9,"min_tokens":2,)"
                                                        R"("temperature":0,"top_p":0.5,"seed":-1,"stop":"x",)"
                                                        R"("stream":true,"stream_options":{"include_usage":true},)"
                                                        R"("logit_bias":{"7":-100},"logprobs":true,"top_logprobs":4)"));
  EXPECT_EQ(r.n, 3);
  EXPECT_EQ(r.generation.max_tokens, 9);
  EXPECT_EQ(r.generation.min_tokens, 2);
  EXPECT_EQ(r.generation.sampling.temperature, 0);
  EXPECT_EQ(r.generation.sampling.top_p, 0.5f);
  EXPECT_EQ(r.generation.seed, UINT64_MAX);
  EXPECT_EQ(r.generation.stop, std::vector<std::string>{"x"});
  EXPECT_EQ(r.generation.sampling.logit_bias, (std::vector<LogitBias>{{.id = 7, .bias = -100}}));
  EXPECT_EQ(r.generation.logprobs, 4);
  EXPECT_TRUE(r.stream && r.include_usage);
  EXPECT_EQ(r.priority, Priority::normal);
  EXPECT_EQ(good(Endpoint::text, text(R"("service_tier":"priority")")).priority, Priority::high);
  EXPECT_EQ(good(Endpoint::text, text(R"("service_tier":"flex")")).priority, Priority::low);
}

TEST(CompletionRequest, AbsentAndNullFieldsHaveTheDefaultsOfOpenAI) {
  for (const Endpoint endpoint : {Endpoint::chat, Endpoint::text}) {
    const std::string required = endpoint == Endpoint::chat ? "messages" : "prompt";
    std::string nulls;
    for (const ApiField& field : api_fields(endpoint)) {
      if (field.name != required) nulls += fmt::format(",\"{}\":null", field.name);
    }
    const std::string body = endpoint == Endpoint::chat ? chat(nulls.substr(1)) : text(nulls.substr(1));
    const CompletionRequest r = good(endpoint, body);
    EXPECT_EQ(r.n, 1);
    EXPECT_EQ(r.generation.sampling.temperature, 1);
    EXPECT_EQ(r.generation.max_tokens, endpoint == Endpoint::chat ? std::nullopt : std::optional(16));
    EXPECT_EQ(r.generation.logprobs, std::nullopt);
    EXPECT_EQ(r.generation.seed, std::nullopt);
    EXPECT_FALSE(r.stream || r.include_usage || r.echo);
  }
}

// ---- the table of fields

TEST(CompletionRequest, IgnoredFieldsMayHaveAnyValue) {
  for (const Endpoint endpoint : {Endpoint::chat, Endpoint::text}) {
    int n_ignored = 0;
    for (const ApiField& field : api_fields(endpoint)) {
      if (field.use != FieldUse::ignored) continue;
      ++n_ignored;
      const std::string given = fmt::format(R"("{}":{{"any":[1,"x"]}})", field.name);
      good(endpoint, endpoint == Endpoint::chat ? chat(given) : text(given));
    }
    EXPECT_GT(n_ignored, 0);
  }
}

TEST(CompletionRequest, RefusedFieldsAreRefusedAsUnsupported) {
  for (const Endpoint endpoint : {Endpoint::chat, Endpoint::text}) {
    int n_refused = 0;
    for (const ApiField& field : api_fields(endpoint)) {
      if (field.use != FieldUse::refused) continue;
      ++n_refused;
      const std::string name(field.name), given = fmt::format(R"("{}":{{"any":[1,"x"]}})", name);
      expect_refused(endpoint, {{endpoint == Endpoint::chat ? chat(given) : text(given), name.c_str(),
                                 "unsupported_parameter", "is not supported"}});
    }
    EXPECT_GT(n_refused, 0);
  }
}

TEST(CompletionRequest, RefusedFieldsThatAskForNothingPass) {
  good(Endpoint::chat, chat(R"("tools":[],"tool_choice":"auto","functions":[],"function_call":"none",)"
                            R"("modalities":["text"],"response_format":{"type":"text"})"));
  good(Endpoint::text, text(R"("best_of":1,"suffix":"")"));
}

// ---- of one endpoint

TEST(CompletionRequest, RulesOfOneEndpointHold) {
  expect_refused(Endpoint::chat,
                 {{"{}", "messages", "missing_parameter"},
                  {R"({"messages":null})", "messages", "missing_parameter"},
                  {chat(R"("max_tokens":1,"max_completion_tokens":1)"), "max_tokens", nullptr, "give one of them"},
                  {chat(R"("logprobs":5)"), "logprobs", "invalid_value", "true or false"},
                  {chat(R"("logprobs":true,"top_logprobs":21)"), "top_logprobs", "invalid_value"},
                  {chat(R"("top_logprobs":2)"), "top_logprobs", nullptr, "only allowed when logprobs is true"},
                  {chat(R"("echo":true)"), "echo", "unknown_parameter"}});
  expect_refused(Endpoint::text, {{"{}", "prompt", "missing_parameter"},
                                  {text(R"("logprobs":true)"), "logprobs", "invalid_value"},
                                  {text(R"("logprobs":21)"), "logprobs", "invalid_value"},
                                  {text(R"("max_tokens":0)"), "max_tokens", "invalid_value", "without echo"},
                                  {text(R"("max_tokens":0,"echo":false)"), "max_tokens", "invalid_value"},
                                  {text(R"("max_tokens":-1,"echo":true)"), "max_tokens", "invalid_value"}});
}

}  // namespace
}  // namespace ferry
