// What a stream says is what the whole answer says, however the router cuts its tokens into events.

#include <gtest/gtest.h>

#include "tests/launch/api/tiny_answer.h"

namespace ferry {
namespace {

using nlohmann::json;

std::string body_of(Endpoint endpoint, const std::string& more) {
  const std::string prompt =
      endpoint == Endpoint::chat ? R"("messages":[{"role":"user","content":"hi"}])" : R"("prompt":"hi","echo":false)";
  return "{" + prompt + more + "}";
}

json whole(Endpoint endpoint, const std::string& more, const std::vector<int>& ids) {
  TinyAnswer tiny = ask(endpoint, body_of(endpoint, more));
  tiny.answer->take(0, event_of(ids, Finish::length));
  return json::parse(tiny.answer->body());
}

// Ids in events that end at `cuts` (bit i: after token i), and what is due is taken after each.
std::vector<json> streamed(Endpoint endpoint, const std::string& more, const std::vector<int>& ids, uint32_t cuts) {
  TinyAnswer tiny = ask(endpoint, body_of(endpoint, R"(,"stream":true)" + more));
  std::string said;
  std::vector<int> some;
  for (size_t i = 0; i < ids.size(); ++i) {
    some.push_back(ids[i]);
    const bool last = i + 1 == ids.size();
    if (!last && (cuts >> i & 1) == 0) continue;
    tiny.answer->take(0, event_of(some, last ? Finish::length : Finish::none));
    said += tiny.answer->take_stream();
    some.clear();
  }
  EXPECT_TRUE(tiny.answer->over());
  EXPECT_EQ(tiny.answer->take_stream(), "");
  return events_in(said);
}

const std::string& text_of_whole(const json& all) {
  const json& choice = all["choices"][0];
  return (choice.contains("message") ? choice["message"]["content"] : choice["text"]).get_ref<const std::string&>();
}

void expect_good_order(Endpoint endpoint, const std::vector<json>& events) {
  ASSERT_GE(events.size(), 2u);
  EXPECT_TRUE(events.back().is_null()) << "[DONE] is last";
  for (size_t i = 0; i + 1 < events.size(); ++i) {
    ASSERT_TRUE(events[i].is_object()) << i;
    const json& choice = events[i]["choices"][0];
    EXPECT_EQ(choice["finish_reason"].is_null(), i + 2 < events.size()) << "the last one says why it ended";
    if (endpoint == Endpoint::chat) {
      EXPECT_EQ(choice["delta"].contains("role"), i == 0) << "the first one says who speaks";
    }
  }
}

struct Case {
  const char* what;
  std::string text;
  std::string more;  // fields
  std::string said;
};

TEST(AnswerStream, SaysWhatTheWholeAnswerSaysWhereverEventsEnd) {
  const std::vector<Case> cases = {
      {"plain", "a ferry", "", "a ferry"},
      {"characters of 2, 3 and 4 bytes", "é€🚢", "", "é€🚢"},
      {"a character that never ends", "ok\xf0\x9f\x9a", "", "ok\xef\xbf\xbd"},
      {"bytes that are no text", "a\xff\xc3(z", "", "a\xef\xbf\xbd\xef\xbf\xbd(z"},
      {"a stop string", "one END two", R"(,"stop":"END")", "one "},
      {"beginnings of a stop string", "EN EEND!", R"(,"stop":["END"])", "EN E"},
      {"a stop string that does not end", "we EN", R"(,"stop":["END"])", "we EN"},
      {"a stop string in characters", "né€é🚢", R"(,"stop":["€é","zz"])", "né"},
      {"of two stop strings the first to end", "xabcd", R"(,"stop":["abcd","bc"])", "xa"},
      {"a stop string at once", "END", R"(,"stop":"END")", ""},
      {"a stop string before the least number", "ab ab", R"(,"stop":"ab","min_tokens":3)", "ab "},
  };
  for (const Endpoint endpoint : {Endpoint::chat, Endpoint::text}) {
    for (const Case& c : cases) {
      SCOPED_TRACE(c.what);
      const std::vector<int> ids = byte_tokens(c.text);
      EXPECT_EQ(text_of_whole(whole(endpoint, c.more, ids)), c.said);
      for (uint32_t cuts = 0; cuts < 1u << (ids.size() - 1); ++cuts) {
        const auto events = streamed(endpoint, c.more, ids, cuts);
        expect_good_order(endpoint, events);
        ASSERT_EQ(text_in(events), c.said) << "cuts " << cuts;
      }
    }
  }
}

TEST(AnswerStream, SaysTheLogprobsOfTheWholeAnswer) {
  const std::vector<int> ids = byte_tokens("é END");
  for (uint32_t cuts = 0; cuts < 1u << (ids.size() - 1); ++cuts) {
    json chat = json::array();
    const std::string chat_fields = R"(,"stop":"END","logprobs":true,"top_logprobs":1)";
    for (const json& event : streamed(Endpoint::chat, chat_fields, ids, cuts)) {
      if (event.is_null() || event["choices"][0]["logprobs"].is_null()) continue;
      for (const json& entry : event["choices"][0]["logprobs"]["content"]) chat.push_back(entry);
    }
    ASSERT_EQ(chat, whole(Endpoint::chat, chat_fields, ids)["choices"][0]["logprobs"]["content"]) << "cuts " << cuts;

    json offsets = json::array();
    const std::string text_fields = R"(,"stop":"END","logprobs":1)";
    for (const json& event : streamed(Endpoint::text, text_fields, ids, cuts)) {
      if (event.is_null() || event["choices"][0]["logprobs"].is_null()) continue;
      for (const json& offset : event["choices"][0]["logprobs"]["text_offset"]) offsets.push_back(offset);
    }
    ASSERT_EQ(offsets, whole(Endpoint::text, text_fields, ids)["choices"][0]["logprobs"]["text_offset"]);
  }
}

TEST(AnswerStream, ChunksNameTheirKind) {
  for (const auto& [endpoint, object] :
       {std::pair(Endpoint::chat, "chat.completion.chunk"), std::pair(Endpoint::text, "text_completion")}) {
    for (const json& event : streamed(endpoint, "", byte_tokens("ab"), 1)) {
      if (event.is_null()) continue;
      EXPECT_EQ(event["object"], object);
      EXPECT_EQ(event["id"], "cmpl-7");
      EXPECT_EQ(event["model"], "tiny");
      EXPECT_FALSE(event.contains("usage")) << "nobody asked for it";
    }
  }
}

TEST(AnswerStream, UsageIsAnEventOfItsOwnWhereItIsAskedFor) {
  const std::string more = R"(,"stream_options":{"include_usage":true})";
  const auto events = streamed(Endpoint::chat, more, byte_tokens("ab"), 1);
  ASSERT_GE(events.size(), 3u);
  for (size_t i = 0; i + 2 < events.size(); ++i) {
    EXPECT_TRUE(events[i].contains("usage") && events[i]["usage"].is_null());
    EXPECT_EQ(events[i]["choices"].size(), 1u);
  }
  const json& last = events[events.size() - 2];
  EXPECT_EQ(last["choices"], json::array());
  EXPECT_EQ(last["usage"], whole(Endpoint::chat, "", byte_tokens("ab"))["usage"]);
  EXPECT_TRUE(events.back().is_null());
}

TEST(AnswerStream, EchoIsSaidOnceAndFirst) {
  TinyAnswer tiny = ask(Endpoint::text, R"({"prompt":["A","B"],"echo":true,"stream":true})");
  tiny.answer->take(0, event_of(byte_tokens("x")));
  tiny.answer->take(1, event_of({kTinyEnd}, Finish::stop));  // says nothing
  std::string said = tiny.answer->take_stream();
  tiny.answer->take(0, event_of(byte_tokens("y"), Finish::length));
  said += tiny.answer->take_stream();
  EXPECT_EQ(text_in(events_in(said), 0), "Axy");
  EXPECT_EQ(text_in(events_in(said), 1), "B");
}

TEST(AnswerStream, LogprobsOfAnEchoComeOnceAlsoWhereNothingFollows) {
  for (const int n : {0, 2}) {
    TinyAnswer tiny = ask(Endpoint::text, R"({"prompt":"AB","echo":true,"stream":true,"logprobs":0,"max_tokens":)" +
                                              std::to_string(n) + "}");
    RequestEvent event = event_of(byte_tokens("x"));
    event.prompt_logprobs = {{.id = byte_tokens("B")[0], .logprob = -2}};
    if (n == 0) event.finish = Finish::length;
    tiny.answer->take(0, event);
    std::string said = tiny.answer->take_stream();
    if (n > 0) tiny.answer->take(0, event_of(byte_tokens("y"), Finish::length));
    said += tiny.answer->take_stream();
    json logprobs = json::array();
    for (const json& one : events_in(said)) {
      if (one.is_null() || one["choices"][0]["logprobs"].is_null()) continue;
      for (const json& value : one["choices"][0]["logprobs"]["token_logprobs"]) logprobs.push_back(value);
    }
    EXPECT_EQ(text_in(events_in(said)), n == 0 ? "AB" : "ABxy");
    EXPECT_EQ(logprobs, json::parse(n == 0 ? "[null,-2.0]" : "[null,-2.0,-0.5,-0.5]"));
  }
}

TEST(AnswerStream, ChoicesAreToldApart) {
  TinyAnswer tiny = ask(Endpoint::chat, body_of(Endpoint::chat, R"(,"stream":true,"n":2)"));
  std::string said;
  const auto take = [&](size_t choice, const RequestEvent& event) {
    tiny.answer->take(choice, event);
    said += tiny.answer->take_stream();
  };
  take(1, event_of(byte_tokens("one")));
  take(0, event_of(byte_tokens("zero"), Finish::length));
  EXPECT_FALSE(tiny.answer->over());
  take(1, event_of({kTinyEnd}, Finish::stop));
  const auto events = events_in(said);
  EXPECT_EQ(text_in(events, 0), "zero");
  EXPECT_EQ(text_in(events, 1), "one");
  int n_roles = 0, n_ends = 0;
  for (const json& event : events) {
    if (event.is_null()) continue;
    n_roles += event["choices"][0]["delta"].contains("role");
    n_ends += !event["choices"][0]["finish_reason"].is_null();
  }
  EXPECT_EQ(n_roles, 2);
  EXPECT_EQ(n_ends, 2);
}

TEST(AnswerStream, ATokenWithoutTextSaysNothingYet) {
  TinyAnswer tiny = ask(Endpoint::chat, body_of(Endpoint::chat, R"(,"stream":true)"));
  tiny.answer->take(0, event_of(byte_tokens("\xc3")));
  EXPECT_EQ(tiny.answer->take_stream(), "");
  EXPECT_EQ(tiny.answer->error(), std::nullopt);
}

}  // namespace
}  // namespace ferry
