#include "launch/api/prompt_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ferry {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST(PromptFields, AConversationIsReadInOrder) {
  std::vector<Message> messages;
  EXPECT_EQ(set_conversation(json::parse(R"([{"role":"developer","content":"Be brief"},
    {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
    {"role":"assistant","content":"","tool_calls":null,"annotations":[]}])"),
                             messages),
            "");
  EXPECT_EQ(messages, (std::vector<Message>{{"system", "Be brief"}, {"user", "a\nb"}, {"assistant", ""}}))
      << "developer is the newer name of system; parts are lines; fields that say nothing pass";
}

TEST(PromptFields, AMessageThatIsNoneIsRefusedByItsNumber) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"("hi")", "expected a list of messages, found text"},
      {R"([])", "expected a list of messages, found an empty list"},
      {R"(["hi"])", "message 0: expected an object"},
      {R"([{"role":"user","content":"a"},{"content":"b"}])", "message 1: role is missing"},
      {R"([{"role":"user"}])", "message 0: content is missing"},
      {R"([{"role":"tool","content":"a"}])", "role: 'tool' is none of"},
      {R"([{"role":null,"content":"a"}])", "role: expected text, found null"},
      {R"([{"role":"user","content":null}])", "content: expected text or a list of parts, found null"},
      {R"([{"role":"user","content":[]}])", "content: expected"},
      {R"([{"role":"user","content":["a"]}])", "content: item 0: expected an object"},
      {R"([{"role":"user","content":[{"text":"a"}]}])", "content: item 0: type"},
      {R"([{"role":"user","content":[{"type":"text"}]}])", "content: item 0: text"},
      {R"([{"role":"user","content":[{"type":"text","text":"a","cache":1}]}])", "nothing else"},
      {R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{}}]}])",
       "item 1: type: 'image_url' is not supported"},
      {R"([{"role":"user","content":"a","name":"Ann"}])", "'name' is not supported"},
      {R"([{"role":"user","content":"a","tool_calls":[{}]}])", "'tool_calls' is not supported"},
  };
  for (const auto& [text, why] : cases) {
    std::vector<Message> messages;
    EXPECT_THAT(set_conversation(json::parse(text), messages), HasSubstr(why)) << text;
  }
}

TEST(PromptFields, PromptsAreTextsIdsAndListsOfThem) {
  const auto read = [](const char* text) {
    std::vector<Prompt> prompts;
    EXPECT_EQ(set_prompts(json::parse(text), prompts), "") << text;
    return prompts;
  };
  EXPECT_EQ(read(R"("hi")"), (std::vector<Prompt>{"hi"}));
  EXPECT_EQ(read(R"(["a","b"])"), (std::vector<Prompt>{"a", "b"}));
  EXPECT_EQ(read(R"([1,2])"), (std::vector<Prompt>{std::vector{1, 2}}));
  EXPECT_EQ(read(R"([[1,2],[3]])"), (std::vector<Prompt>{std::vector{1, 2}, std::vector{3}}));
  EXPECT_EQ(read(R"(["a",[3]])"), (std::vector<Prompt>{"a", std::vector{3}}));
}

TEST(PromptFields, APromptThatIsNoneIsRefused) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"7", "expected text, token ids, or a list of either, found 7"},
      {"{}", "found an object"},
      {"[]", "found an empty list"},
      {"[[]]", "item 0: expected a list of token ids, found an empty list"},
      {"[-1]", "item 0: expected a whole number"},
      {"[1.0]", "item 0: expected a whole number"},
      {"[2147483648]", "item 0: expected a whole number"},
      {R"([1,"a"])", "item 1: expected a whole number"},
      {R"(["a",1])", "item 1: expected a list of token ids, found 1"},
      {"[[1],[null]]", "item 1: item 0"},
  };
  for (const auto& [text, why] : cases) {
    std::vector<Prompt> prompts;
    EXPECT_THAT(set_prompts(json::parse(text), prompts), HasSubstr(why)) << text;
  }
}

}  // namespace
}  // namespace ferry
