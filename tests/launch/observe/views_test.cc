// What `ferry top` and `ferry explain` show.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "launch/io/printable.h"
#include "launch/observe/explain_view.h"
#include "launch/observe/top_view.h"

namespace ferry {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json latency(int n) { return {{"n", n}, {"p50_ms", 80.4}, {"p90_ms", 120}, {"p99_ms", 1500}}; }

json cluster() {
  const json pages = {{"free", 60}, {"leased", 30}, {"shared", 10}, {"quarantined", 0}, {"total", 100}};
  const json group = {{"name", "decode-0"}, {"role", "decode"}, {"tp", 2},     {"state", "ready"},
                      {"pages", pages},     {"running", 3},     {"queued", 0}, {"tokens_per_s", 41.25}};
  const json path = {{"prefill", "prefill-0"}, {"decode", "decode-0"}, {"state", "ready"},        {"transport", "shm"},
                     {"gb_per_s", 4.5},        {"latency_us", 2.1},    {"bytes_per_s", 2500000.0}};
  const json request = {{"id", "req-1"}, {"stage", "decoding"},    {"age_ms", 1234.5},    {"prompt_tokens", 7},
                        {"tokens", 12},  {"prefill", "prefill-0"}, {"decode", "decode-0"}};
  return {
      {"model", "tiny"},
      {"groups", {group}},
      {"paths", {path}},
      {"served", 1},
      {"waiting", 0},
      {"in_flight", {request}},
      {"latency", {{"ttft", latency(5)}, {"itl", latency(50)}, {"e2e", latency(0)}}},
      {"rates",
       {{"tokens_per_s", 41.25}, {"prompt_tokens_per_s", 7.0}, {"requests_per_s", 0.5}, {"kv_bytes_per_s", 2500000.0}}},
      {"history", {{"tokens", {0, 10, 40}}}}};
}

TEST(TopView, ShowsGroupsPathsRequestsAndLatencies) {
  const std::string text = top_view(cluster(), {.columns = 100, .lines = 40});
  EXPECT_THAT(text, HasSubstr("41.2 tokens/s"));
  EXPECT_THAT(text, HasSubstr("60/100"));
  EXPECT_THAT(text, HasSubstr("prefill-0 → decode-0  shm"));
  EXPECT_THAT(text, HasSubstr("2.5 MB/s"));
  EXPECT_THAT(text, HasSubstr("first token"));
  EXPECT_THAT(text, testing::Not(HasSubstr("whole answer"))) << "nothing was measured of it";
  EXPECT_THAT(text, HasSubstr("req-1"));
  EXPECT_THAT(text, HasSubstr("1.23 s"));
}

TEST(TopView, TheStateOfAGroupIsSeenOnASmallScreenToo) {
  json failing = cluster();
  failing["groups"][0]["state"] = "failing";
  EXPECT_THAT(top_view(failing, {.columns = 40, .lines = 24}), HasSubstr("decode-0       failing"));
}

TEST(TopView, FitsTheScreenWhateverItsSize) {
  for (const Colours colours : {Colours::off, Colours::on}) {
    for (const int columns : {20, 40, 80, 200}) {
      const std::string text = top_view(cluster(), {.columns = columns, .lines = 12, .colours = colours});
      std::istringstream lines(text);
      int n = 0;
      for (std::string line; std::getline(lines, line); ++n) {
        std::string plain;
        for (size_t i = 0; i < line.size(); ++i) {
          if (line[i] == '\x1b')
            i = line.find('m', i);
          else
            plain += line[i];
        }
        EXPECT_LE(n_characters(plain), static_cast<size_t>(columns)) << line;
      }
      EXPECT_LE(n, 12);
    }
  }
}

TEST(TopView, NamesOfOthersCannotWriteToTheTerminal) {
  json hostile = cluster();
  hostile["model"] = "\x1b[2Jgone";
  EXPECT_THAT(top_view(hostile, {}), testing::Not(HasSubstr("\x1b")));
}

json request() {
  const auto part = [](const char* name, double begin, double ms) {
    return json{{"part", name}, {"attempt", 1}, {"begin_ms", begin}, {"ms", ms}};
  };
  json failed = part("failed_attempt", 5, 45);
  failed.update({{"prefill", "prefill-1"},
                 {"decode", "decode-0"},
                 {"why", "group prefill-1 is gone"},
                 {"next", "other_prefill"}});
  return {{"id", "req-1"},
          {"endpoint", "/v1/completions"},
          {"trace", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
          {"end", "finished"},
          {"prompt_tokens", 7},
          {"cached_tokens", 0},
          {"completion_tokens", 12},
          {"route", {{"prefill", "prefill-0"}, {"decode", "decode-0"}, {"attempts", 2}}},
          {"kv", {{"bytes", 123456}, {"transport", "shm"}}},
          {"ttft_ms", 100.0},
          {"total_ms", 1100.0},
          {"timeline", {part("queue", 0, 5), failed, part("prefill", 50, 50), part("decode", 100, 1000)}}};
}

TEST(ExplainView, ShowsEachPartInItsPlaceAndWhyAnAttemptFailed) {
  const std::string text = explain_view(request(), {.columns = 71});
  EXPECT_THAT(text, HasSubstr("prefill-0 → decode-0 over shm, 123 kB of KV; 2 attempts"));
  EXPECT_THAT(text, HasSubstr("attempt 1 at prefill-1 → decode-0 ended: group prefill-1 is gone; then: other prefill"));
  // 40 characters are 100 ms.
  EXPECT_THAT(text, HasSubstr("  queue             ██                                          5.0 ms\n"));
  EXPECT_THAT(text, HasSubstr("  prefill                               ████████████████████     50 ms\n"));
  EXPECT_THAT(text, HasSubstr("  decode            ████████████████████████████████████████    1.00 s\n"));
}

TEST(ExplainView, SaysOfWhatFailedWhereItWas) {
  json r = request();
  r["end"] = "deadline passed while waiting";
  r["ttft_ms"] = 0.0;
  r["route"] = {{"prefill", ""}, {"decode", ""}, {"attempts", 0}};
  r["timeline"] = {{{"part", "queue"}, {"attempt", 0}, {"begin_ms", 0}, {"ms", 1100}}};
  const std::string text = explain_view(r, {});
  EXPECT_THAT(text, HasSubstr("deadline passed while waiting"));
  EXPECT_THAT(text, HasSubstr("no group had taken it; 0 attempts"));
  EXPECT_THAT(text, HasSubstr("; no token came, all in 1.10 s"));
  EXPECT_THAT(text, HasSubstr("until its end"));
}

}  // namespace
}  // namespace ferry
