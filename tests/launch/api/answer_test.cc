#include "launch/api/answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include "tests/launch/api/tiny_answer.h"

namespace ferry {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// ---- what is asked of the router

TEST(Answer, BecomesARequestForEachChoiceWithASeedOfItsOwn) {
  const TinyAnswer tiny = ask(Endpoint::text, R"({"prompt":["A",[5,6]],"n":2,"seed":40,"max_tokens":3})");
  ASSERT_EQ(tiny.requests.size(), 4u);
  EXPECT_EQ(tiny.requests[1].prompt, byte_tokens("A"));
  EXPECT_EQ(tiny.requests[2].prompt, (std::vector<int>{5, 6}));
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(tiny.requests[i].sampling.seed, 40 + i % 2);
    EXPECT_EQ(tiny.requests[i].max_tokens, 3);
  }
}

TEST(Answer, AChatMayGoOnToTheEndOfTheContext) {
  const TinyAnswer tiny = ask(Endpoint::chat, R"({"messages":[{"role":"user","content":"hi"}]})");
  ASSERT_EQ(tiny.requests.size(), 1u);
  EXPECT_EQ(tiny.requests[0].max_length(), kTinyRules.max_context);
}

TEST(Answer, WhatTheModelCannotTakeIsRefusedByTheNameOfTheField) {
  const auto expect_refused = [](Endpoint endpoint, const std::string& body, const char* param, const char* code,
                                 const char* says) {
    const TinyAnswer tiny = ask(endpoint, body);
    ASSERT_TRUE(tiny.refusal) << body;
    EXPECT_EQ(tiny.refusal->status, 400);
    EXPECT_EQ(tiny.refusal->param, param);
    EXPECT_EQ(tiny.refusal->code.value_or("none"), code);
    EXPECT_THAT(tiny.refusal->message, HasSubstr(says));
  };
  expect_refused(Endpoint::text, R"({"prompt":""})", "prompt", "none", "no tokens");
  expect_refused(Endpoint::text, R"({"prompt":[1,300]})", "prompt", "invalid_value",
                 "Token 300 is not in the vocabulary");
  expect_refused(Endpoint::text, R"({"prompt":"a","logit_bias":{"300":1}})", "logit_bias", "invalid_value",
                 "Token 300");
  expect_refused(Endpoint::text, R"({"prompt":"a","max_tokens":512})", "prompt", "context_length_exceeded",
                 "context is 512 tokens; the prompt has 1 and the answer may have 512");
  expect_refused(Endpoint::text, R"({"prompt":"a","max_tokens":2147483647})", "prompt", "context_length_exceeded", "");
  expect_refused(Endpoint::chat, R"({"messages":[{"role":"user","content":")" + std::string(600, 'A') + R"("}]})",
                 "messages", "context_length_exceeded", "");
}

TEST(Answer, ChoicesShareTheStopStringsOfTheirRequest) {
  std::string stops;
  for (int i = 0; i < 16; ++i) stops += (i ? ",\"" : "\"") + std::string(4000, static_cast<char>('a' + i)) + "END\"";
  const auto in_use = [] {
    const struct mallinfo2 now = mallinfo2();
    return now.uordblks + now.hblkhd;
  };
  const size_t before = in_use();
  const TinyAnswer tiny = ask(Endpoint::text, R"({"prompt":"A","n":128,"stop":[)" + stops + "]}");
  ASSERT_EQ(tiny.requests.size(), 128u);
  EXPECT_LT(in_use(), before + (size_t{8} << 20)) << "one automaton of these has about 2 MB";
}

// ---- whole

json body_after(TinyAnswer& tiny, const std::vector<RequestEvent>& events) {
  for (const RequestEvent& event : events) tiny.answer->take(0, event);
  EXPECT_TRUE(tiny.answer->over());
  return json::parse(tiny.answer->body());
}

TEST(Answer, AWholeChatIsShapedAsOpenAIHasIt) {
  TinyAnswer tiny = ask(Endpoint::chat, R"({"messages":[{"role":"user","content":"hi"}],"max_tokens":9})");
  RequestEvent last = event_of({kTinyEnd}, Finish::stop);
  last.account = {.prefill = "p", .decode = "d", .attempts = 2, .ttft_ms = 3, .total_ms = 4.5};
  last.account.retries.push_back({.rung = Rung::same_pair, .why = "lost"});
  last.account.bill.cached_tokens = 1;
  const json all = body_after(tiny, {event_of(byte_tokens("yes")), last});

  EXPECT_EQ(all["id"], "cmpl-7");
  EXPECT_EQ(all["object"], "chat.completion");
  EXPECT_EQ(all["created"], 1700000000);
  EXPECT_EQ(all["model"], "tiny");
  EXPECT_EQ(all["system_fingerprint"], "ferry-test");
  EXPECT_EQ(all["choices"], json::parse(R"([{"index":0,"message":{"role":"assistant","content":"yes","refusal":null},
                            "logprobs":null,"finish_reason":"stop"}])"));
  const size_t n_prompt = tiny.requests[0].prompt.size();
  EXPECT_EQ(all["usage"]["prompt_tokens"], n_prompt);
  EXPECT_EQ(all["usage"]["completion_tokens"], 4);
  EXPECT_EQ(all["usage"]["total_tokens"], n_prompt + 4);
  EXPECT_EQ(all["usage"]["prompt_tokens_details"]["cached_tokens"], 1);
  EXPECT_EQ(all["usage"]["ms"]["ttft"], 3);
  EXPECT_EQ(all["usage"]["ms"]["total"], 4.5);
  EXPECT_EQ(all["usage"]["route"], json::parse(R"({"prefill":"p","decode":"d","policy":"disaggregated","attempts":2,)"
                                               R"("retries":[{"rung":"same_pair","why":"lost"}]})"));
}

TEST(Answer, AWholeTextEndsByLengthAndBeginsWithItsEcho) {
  TinyAnswer tiny = ask(Endpoint::text, R"({"prompt":"Aé","echo":true,"max_tokens":2})");
  const json all = body_after(tiny, {event_of(byte_tokens("BC"), Finish::length)});
  EXPECT_EQ(all["object"], "text_completion");
  EXPECT_EQ(all["choices"], json::parse(R"([{"index":0,"text":"AéBC","logprobs":null,"finish_reason":"length"}])"));
}

TEST(Answer, AnEchoOfTokensIsTheirText) {
  TinyAnswer tiny = ask(Endpoint::text, R"({"prompt":[68,69],"echo":true})");
  EXPECT_EQ(body_after(tiny, {event_of(byte_tokens("C"), Finish::length)})["choices"][0]["text"], "ABC");
}

RequestEvent first_event(const std::string& prompt, const std::vector<int>& ids, Finish finish) {
  RequestEvent event = event_of(ids, finish);
  for (const int id : byte_tokens(prompt.substr(1))) event.prompt_logprobs.push_back({.id = id, .logprob = -2});
  return event;
}

TEST(Answer, AnEchoHasTheLogprobsOfAllButItsFirstToken) {
  TinyAnswer tiny = ask(Endpoint::text, R"({"prompt":"Aé","echo":true,"max_tokens":2,"logprobs":0})");
  EXPECT_TRUE(tiny.requests[0].prompt_logprobs);
  const json choice = body_after(tiny, {first_event("Aé", byte_tokens("BC"), Finish::length)})["choices"][0];
  EXPECT_EQ(choice["text"], "AéBC");
  EXPECT_EQ(choice["logprobs"]["tokens"], json::parse(R"(["A","bytes:\\xc3","bytes:\\xa9","B","C"])"));
  EXPECT_EQ(choice["logprobs"]["token_logprobs"], json::parse("[null,-2.0,-2.0,-0.5,-0.5]"));
  EXPECT_EQ(choice["logprobs"]["text_offset"], json::parse("[0,1,2,2,3]"));
  EXPECT_EQ(choice["logprobs"]["top_logprobs"].size(), 5u);
  EXPECT_TRUE(choice["logprobs"]["top_logprobs"][0].is_null());
}

TEST(Answer, OfNoTokensIsItsEcho) {
  for (const char* prompt : {"A", "AB"}) {
    TinyAnswer tiny =
        ask(Endpoint::text, R"({"prompt":")" + std::string(prompt) + R"(","echo":true,"max_tokens":0,"logprobs":1})");
    EXPECT_EQ(tiny.requests[0].max_tokens, 1) << "an engine always says one";
    const json all = body_after(tiny, {first_event(prompt, byte_tokens("x"), Finish::length)});
    EXPECT_EQ(all["choices"][0]["text"], prompt);
    EXPECT_EQ(all["choices"][0]["logprobs"]["tokens"].size(), std::string_view(prompt).size());
    EXPECT_EQ(all["choices"][0]["finish_reason"], "length");
    EXPECT_EQ(all["usage"]["completion_tokens"], 0);
  }
}

TEST(Answer, LogprobsOfTooMuchPromptAreRefusedBeforeAnybodyComputes) {
  EXPECT_FALSE(ask(Endpoint::text, R"({"prompt":"AB","echo":true,"logprobs":20,"n":128})").refusal.has_value());
  std::string prompts;
  for (int i = 0; i < 32; ++i) prompts += (i ? ",\"" : "\"") + std::string(400, 'A') + '"';
  const std::string body = R"({"prompt":[)" + prompts + R"(],"echo":true,"n":4,"logprobs":)";
  EXPECT_FALSE(ask(Endpoint::text, body + "2}").refusal.has_value());
  const auto refusal = ask(Endpoint::text, body + "20}").refusal;
  ASSERT_TRUE(refusal.has_value());
  EXPECT_EQ(refusal->param, "echo");
}

TEST(Answer, APromptCountsOnceHoweverManyChoicesItHas) {
  TinyAnswer tiny = ask(Endpoint::text, R"({"prompt":["AA","BBB"],"n":2})");
  for (size_t choice = 0; choice < 4; ++choice) {
    EXPECT_FALSE(tiny.answer->over());
    tiny.answer->take(choice, event_of(byte_tokens(std::string(choice + 1, 'x')), Finish::length));
    EXPECT_TRUE(tiny.answer->choice_over(choice));
  }
  const json all = json::parse(tiny.answer->body());
  EXPECT_EQ(all["usage"]["prompt_tokens"], 5);
  EXPECT_EQ(all["usage"]["completion_tokens"], 1 + 2 + 3 + 4);
  for (size_t choice = 0; choice < 4; ++choice) {
    EXPECT_EQ(all["choices"][choice]["index"], choice);
    EXPECT_EQ(all["choices"][choice]["text"], std::string(choice + 1, 'x'));
  }
}

TEST(Answer, AStopStringEndsAChoiceBeforeTheRouterKnows) {
  TinyAnswer tiny = ask(Endpoint::text, R"({"prompt":"A","stop":["END"]})");
  tiny.answer->take(0, event_of(byte_tokens("one EN")));
  EXPECT_FALSE(tiny.answer->choice_over(0));
  tiny.answer->take(0, event_of(byte_tokens("D two")));
  EXPECT_TRUE(tiny.answer->choice_over(0) && tiny.answer->over());
  tiny.answer->take(0, event_of(byte_tokens(" three"), Finish::length));
  const json all = json::parse(tiny.answer->body());
  EXPECT_EQ(all["choices"][0]["text"], "one ");
  EXPECT_EQ(all["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(all["usage"]["completion_tokens"], 7) << "what comes after the stop does not count";
}

TEST(Answer, ATokenWithoutANameIsNoText) {
  for (const char* logprobs : {"null", "1"}) {
    TinyAnswer tiny = ask(Endpoint::text, std::string(R"({"prompt":"A","logprobs":)") + logprobs + "}");
    RequestEvent event = event_of({68, kNamelessToken, 69, kNamelessToken}, Finish::length);
    event.tokens[0].top.push_back({.id = kNamelessToken, .logprob = -3});
    EXPECT_EQ(body_after(tiny, {event})["choices"][0]["text"], "AB");
  }
}

// ---- failures

TEST(Answer, AFailureIsTheWholeAnswerWithTheStatusOfItsFault) {
  const auto status_of = [](Fault fault) {
    TinyAnswer tiny = ask(Endpoint::chat, R"({"messages":[{"role":"user","content":"hi"}],"n":2,"stream":true})");
    tiny.answer->take(1, failure_of(fault, "because"));
    EXPECT_TRUE(tiny.answer->over() && tiny.answer->choice_over(0));
    EXPECT_EQ(tiny.answer->take_stream(), "") << "the status says it";
    const std::optional<ApiError> error = tiny.answer->error();
    EXPECT_EQ(error.value_or(ApiError{}).message, "because");
    EXPECT_EQ(error.value_or(ApiError{}).retry_after_s.has_value(), fault == Fault::overloaded);
    return error.value_or(ApiError{.status = 0}).status;
  };
  EXPECT_EQ(status_of(Fault::request), 400);
  EXPECT_EQ(status_of(Fault::deadline), 408);
  EXPECT_EQ(status_of(Fault::overloaded), 429);
  EXPECT_EQ(status_of(Fault::service), 503);
}

TEST(Answer, AFailureAfterSomethingWasSaidIsAnEventOfTheStream) {
  TinyAnswer tiny = ask(Endpoint::text, R"({"prompt":"A","stream":true})");
  tiny.answer->take(0, event_of(byte_tokens("so ")));
  EXPECT_EQ(text_in(events_in(tiny.answer->take_stream())), "so ");
  tiny.answer->take(0, failure_of(Fault::service, "the group is gone"));
  EXPECT_EQ(tiny.answer->error(), std::nullopt);
  const auto events = events_in(tiny.answer->take_stream());
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0]["error"]["message"], "the group is gone");
  EXPECT_TRUE(events[1].is_null()) << "[DONE] is last";
  EXPECT_EQ(tiny.answer->take_stream(), "");
}

TEST(Answer, WhatWasGeneratedBeforeAFailureIsNotSaidWhereNothingWasSaidYet) {
  TinyAnswer tiny = ask(Endpoint::text, R"({"prompt":"A","stream":true})");
  tiny.answer->take(0, event_of(byte_tokens("so ")));
  tiny.answer->take(0, failure_of(Fault::deadline, "too late"));
  EXPECT_EQ(tiny.answer->error().value_or(ApiError{}).status, 408);
  EXPECT_EQ(tiny.answer->take_stream(), "");
}

}  // namespace
}  // namespace ferry
