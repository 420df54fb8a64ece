#include "launch/observe/request_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ferry {
namespace {

RequestRecord record(const std::string& id) {
  return {.id = id, .endpoint = "/v1/completions", .account = {}, .choices = {}, .trace = trace_of({}, {})};
}

bool everybodys(const RequestRecord&) { return true; }

TEST(RequestLog, TellsOfARequestWhileItRunsAndAfter) {
  RequestLog log;
  RequestRecord& r = log.open(record("req-1"));
  r.n_tokens = 3;
  EXPECT_EQ(json_of(*log.find("req-1")).at("end"), "running");
  EXPECT_EQ(json_of(*log.find("req-1")).at("completion_tokens"), 3);
  EXPECT_TRUE(log.latest(10, everybodys).empty());
  r.end = "finished";
  log.close(r);
  EXPECT_TRUE(log.running().empty());
  EXPECT_EQ(json_of(*log.find("req-1")).at("end"), "finished");
  EXPECT_EQ(log.find("req-2"), nullptr);
}

TEST(RequestLog, RemembersTheLatestAndNoMore) {
  RequestLog log;
  constexpr int kMany = 2100, kKept = 2000;
  for (int i = 0; i < kMany; ++i) log.close(log.open(record("req-" + std::to_string(i))));
  EXPECT_EQ(log.latest(kMany, everybodys).size(), static_cast<size_t>(kKept));
  EXPECT_EQ(log.latest(2, everybodys)[0].at("id"), "req-2099");
  EXPECT_EQ(log.find("req-99"), nullptr);
  EXPECT_NE(log.find("req-100"), nullptr);
}

TEST(RequestLog, ListsWhatSomebodyMaySeeHoweverMuchOthersDo) {
  RequestLog log;
  for (int i = 0; i < 100; ++i) {
    RequestRecord r = record("req-" + std::to_string(i));
    r.key = i % 10 == 0 ? "alice" : "bob";
    log.close(log.open(std::move(r)));
  }
  const auto of_alice = log.latest(3, [](const RequestRecord& r) { return r.key == "alice"; });
  ASSERT_EQ(of_alice.size(), 3u);
  EXPECT_EQ(of_alice[0].at("id"), "req-90");
  EXPECT_EQ(of_alice[2].at("id"), "req-70");
}

}  // namespace
}  // namespace ferry
