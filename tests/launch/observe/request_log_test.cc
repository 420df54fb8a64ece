#include "launch/observe/request_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ferry {
namespace {

using nlohmann::json;

RequestRecord record(const std::string& id) {
  return {.id = id, .endpoint = "/v1/completions", .account = {}, .choices = {}, .trace = trace_of({}, {})};
}

TEST(RequestLog, TellsOfARequestWhileItRunsAndAfter) {
  RequestLog log;
  RequestRecord& r = log.open(record("req-1"));
  r.n_tokens = 3;
  EXPECT_EQ(json::parse(log.find("req-1")).at("end"), "running");
  EXPECT_EQ(json::parse(log.find("req-1")).at("completion_tokens"), 3);
  EXPECT_TRUE(log.latest(10).empty());
  r.end = "finished";
  log.close(r);
  EXPECT_TRUE(log.running().empty());
  EXPECT_EQ(json::parse(log.find("req-1")).at("end"), "finished");
  EXPECT_EQ(log.find("req-2"), "");
}

TEST(RequestLog, RemembersTheLatestAndNoMore) {
  RequestLog log;
  constexpr int kMany = 2100, kKept = 2000;
  for (int i = 0; i < kMany; ++i) log.close(log.open(record("req-" + std::to_string(i))));
  EXPECT_EQ(log.latest(kMany).size(), static_cast<size_t>(kKept));
  EXPECT_EQ(log.latest(2)[0].at("id"), "req-2099");
  EXPECT_EQ(log.find("req-99"), "");
  EXPECT_NE(log.find("req-100"), "");
}

}  // namespace
}  // namespace ferry
