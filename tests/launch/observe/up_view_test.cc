#include "launch/observe/up_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace ferry {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

json group(const std::string& name, const std::string& state) {
  const json pages = {{"free", 60}, {"leased", 30}, {"shared", 10}, {"quarantined", 0}, {"total", 100}};
  return {{"name", name}, {"state", state}, {"pages", pages}, {"running", 3}, {"queued", 7}};
}

UpStatus status() {
  const json rates = {{"tokens_per_s", 41.25}, {"requests_per_s", 0.5}, {"kv_bytes_per_s", 2500000.0}};
  UpStatus::Part router = {.name = "router", .role = {}, .runs = true, .for_ms = 200'000, .last_end = {}};
  UpStatus::Part ready = {
      .name = "prefill-0", .role = "prefill", .tp = 2, .runs = true, .for_ms = 5000, .n_restarts = 1, .last_end = "x"};
  UpStatus::Part ended = {.name = "decode-0",
                          .role = "decode",
                          .tp = 1,
                          .for_ms = 1400,
                          .n_restarts = 3,
                          .last_end = "killed by signal 9 (Killed)"};
  return {.parts = {router, ready, ended},
          .model = "tiny",
          .url = "http://127.0.0.1:8000",
          .cluster = {{"groups", {group("prefill-0", "ready"), group("decode-0", "absent")}},
                      {"rates", rates},
                      {"served", 4},
                      {"waiting", 2},
                      {"counters", {{"finished", 120}, {"failed", 1}, {"cancelled", 5}}}},
          .why_not = {},
          .lines = {"first", "[decode-0] 12:00:00.123 error gone", "last"}};
}

std::string line_with(const std::string& text, const std::string& word) {
  const size_t at = text.find("\n" + word);
  EXPECT_NE(at, std::string::npos) << text;
  return text.substr(at + 1, text.find('\n', at + 1) - at - 1);
}

TEST(UpView, ShowsWhatRunsWhatEndedAndWhatTheRouterTells) {
  const std::string text = up_view(status(), {.columns = 120, .lines = 40});
  EXPECT_THAT(text, AllOf(HasSubstr("tiny"), HasSubstr("http://127.0.0.1:8000")));
  EXPECT_THAT(text,
              HasSubstr("4 run, 2 wait, 120 done, 1 failed, 5 cancelled  41.2 tokens/s  0.5 requests/s  KV 2.5 MB/s"));
  EXPECT_THAT(line_with(text, "router"), AllOf(HasSubstr("serves"), HasSubstr("3.3 min")));
  EXPECT_THAT(line_with(text, "prefill-0"),
              AllOf(HasSubstr("ready"), HasSubstr("5.00 s        1  prefill  2      60/100    3     7")));
  EXPECT_THAT(line_with(text, "decode-0"),
              AllOf(HasSubstr("again in 2 s"), HasSubstr("3  it ended: killed by signal 9 (Killed)"),
                    Not(HasSubstr("60/100"))));
  EXPECT_TRUE(text.ends_with("\nfirst\n[decode-0] 12:00:00.123 error gone\nlast\n"));
}

TEST(UpView, AGroupThatHasNotJoinedYetStarts) {
  UpStatus s = status();
  s.parts[2].runs = true;
  EXPECT_THAT(line_with(up_view(s, {.columns = 120, .lines = 40}), "decode-0"),
              AllOf(HasSubstr("starts"), Not(HasSubstr("60/100"))));
}

TEST(UpView, SaysWhyItKnowsNothingOfTheCluster) {
  UpStatus s = status();
  s.cluster = {};
  EXPECT_THAT(up_view(s, {}), HasSubstr("the router has not answered yet"));
  s.why_not = "it asks for a key";
  const std::string text = up_view(s, {.columns = 120, .lines = 40});
  EXPECT_THAT(text, AllOf(HasSubstr("it asks for a key"), Not(HasSubstr("has not answered"))));
  EXPECT_THAT(line_with(text, "prefill-0"), HasSubstr("runs"));
}

TEST(UpView, TheLogHasTheRestOfTheScreenAndItsLastLinesAreSeen) {
  UpStatus s = status();
  for (int i = 0; i < 100; ++i) s.lines.push_back("line " + std::to_string(i));
  for (const int lines : {3, 9, 10, 24, 80}) {
    const std::string text = up_view(s, {.columns = 80, .lines = lines});
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), lines);
    EXPECT_EQ(text.find("line 99") != std::string::npos, lines > 8) << lines;
  }
}

TEST(UpView, WhatOthersPrintCannotMoveTheCursor) {
  UpStatus s = status();
  s.lines.push_back("\x1b[2Jgone\tfar");
  s.parts[2].last_end = "\x1b[2J";
  const std::string text = up_view(s, {.columns = 120, .lines = 40});
  EXPECT_THAT(text, AllOf(Not(HasSubstr("\x1b")), Not(HasSubstr("\t"))));
}

TEST(UpView, TroubleIsSeenByItsColour) {
  const std::string text = up_view(status(), {.columns = 120, .lines = 40, .colours = Colours::on});
  EXPECT_THAT(text, HasSubstr("\x1b[31m[decode-0] 12:00:00.123 error gone\x1b[0m"));
  EXPECT_THAT(text, HasSubstr("\x1b[31magain in 2 s"));
  EXPECT_THAT(text, HasSubstr("\x1b[32mready"));
}

}  // namespace
}  // namespace ferry
