#include "launch/observe/spans.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/base/error.h"

namespace ferry {
namespace {

using nlohmann::json;

RequestRecord record() {
  RequestRecord record = {.id = "req-1",
                          .endpoint = "/v1/chat/completions",
                          .at_ms = 1'700'000'000'000,
                          .account = {},
                          .choices = {},
                          .trace = trace_of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", {})};
  record.end = "finished";
  record.n_tokens = 4;
  record.account = {.prefill = "p0",
                    .decode = "d0",
                    .attempts = 1,
                    .retries = {},
                    .bill = {.prefill_ms = 20},
                    .queue_ms = 1,
                    .ttft_ms = 25,
                    .total_ms = 40};
  return record;
}

TEST(Spans, ARequestIsASpanAndItsPartsAreItsChildren) {
  const RequestRecord r = record();
  const json line = json::parse(spans_of(r, "tiny"));
  const json spans = line.at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans");
  EXPECT_EQ(spans[0].at("traceId"), r.trace.trace_id);
  EXPECT_EQ(spans[0].at("parentSpanId"), "b7ad6b7169203331");
  EXPECT_EQ(spans[0].at("startTimeUnixNano"), "1700000000000000000");
  EXPECT_EQ(spans[0].at("endTimeUnixNano"), "1700000000040000000");
  ASSERT_EQ(spans.size(), 5u);  // queue, prefill, other, decode: what took no time is no span
  for (size_t i = 1; i < spans.size(); ++i) {
    EXPECT_EQ(spans[i].at("parentSpanId"), r.trace.span_id);
    EXPECT_EQ(spans[i].at("traceId"), r.trace.trace_id);
    EXPECT_THAT(spans[i].at("spanId").get<std::string>(), testing::MatchesRegex("[0-9a-f]{16}"));
  }
  EXPECT_EQ(spans[2].at("name"), "prefill");
  EXPECT_EQ(spans[2].at("endTimeUnixNano"), "1700000000021000000");
  EXPECT_FALSE(spans[0].contains("status"));
}

TEST(Spans, WhatFailedIsAnErrorWithItsReason) {
  RequestRecord r = record();
  r.end = "deadline passed";
  const json line = json::parse(spans_of(r, "tiny"));
  const json span = line.at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans").at(0);
  EXPECT_EQ(span.at("status").at("code"), 2);
  EXPECT_EQ(span.at("status").at("message"), "deadline passed");
}

TEST(SpanFile, HasALineForEachRequestThatIsSampled) {
  const auto file = std::filesystem::temp_directory_path() / ("ferry-spans-" + random_span_id());
  {
    SpanFile spans(file.string(), "tiny");
    RequestRecord r = record();
    spans.write(r);
    r.trace.sampled = false;
    spans.write(r);
    r.trace.sampled = true;
    spans.write(r);
  }
  std::ifstream in(file);
  int n = 0;
  for (std::string line; std::getline(in, line); ++n) EXPECT_TRUE(json::accept(line));
  EXPECT_EQ(n, 2);
  std::filesystem::remove(file);
}

TEST(SpanFile, OneThatCannotBeWrittenIsAnErrorAtTheStart) { EXPECT_THROW(SpanFile("/nowhere/at/all", "tiny"), Error); }

}  // namespace
}  // namespace ferry
