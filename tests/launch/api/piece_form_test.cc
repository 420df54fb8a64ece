#include "launch/api/piece_form.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "launch/io/result_json.h"

namespace ferry {
namespace {

using nlohmann::ordered_json;

const std::string kTexts[] = {
    "",         "plain text", "\"quoted\\\"", "line\nend\t\r\b\f", std::string("\0\x01\x1f", 3),
    "é 世界 🚢", "\x7f",       "</script>",    "\xff is no UTF-8"};

TEST(AppendJsonString, WritesWhatTheLibraryWould) {
  for (const std::string& text : kTexts) {
    std::string out = "before ";
    append_json_string(text, out);
    EXPECT_EQ(out, "before " + text_of(text));
  }
}

// Byte by byte what the library makes of the same event.
TEST(PieceForm, WritesTheEventThatTheLibraryWould) {
  const ordered_json head = {{"id", "cmpl-\"7"}, {"model", "a \"choices\":[{\"index\":"}};
  for (const Endpoint endpoint : {Endpoint::chat, Endpoint::text}) {
    for (const bool include_usage : {false, true}) {
      const PieceForm form(text_of(head), {.endpoint = endpoint, .prompts = {}, .include_usage = include_usage});
      for (const std::string& text : kTexts) {
        ordered_json choice = {{"index", 12}};
        if (endpoint == Endpoint::chat) {
          choice["delta"] = {{"content", text}};
        } else {
          choice["text"] = text;
        }
        choice.update({{"logprobs", {{"content", nullptr}}}, {"finish_reason", nullptr}});
        ordered_json event = head;
        event["choices"] = {choice};
        if (include_usage) event["usage"] = nullptr;
        std::string out = "before ";
        form.write(12, text, R"({"content":null})", out);
        EXPECT_EQ(out, "before data: " + text_of(event) + "\n\n");
      }
    }
  }
}

}  // namespace
}  // namespace ferry
