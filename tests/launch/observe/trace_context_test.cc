#include "launch/observe/trace_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ferry {
namespace {

using testing::MatchesRegex;

constexpr const char* kTrace = "0af7651916cd43dd8448eb211c80319c";
constexpr const char* kGood = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(TraceContext, ACallersTraceIsGoneOnWithUnderASpanOfOurs) {
  const TraceContext trace = trace_of(kGood, "congo=t61rcWkgMzE");
  EXPECT_EQ(trace.trace_id, kTrace);
  EXPECT_EQ(trace.parent_id, "b7ad6b7169203331");
  EXPECT_NE(trace.span_id, trace.parent_id);
  EXPECT_EQ(trace.state, "congo=t61rcWkgMzE");
  EXPECT_EQ(trace.traceparent(), "00-" + trace.trace_id + "-" + trace.span_id + "-01");
}

TEST(TraceContext, WhoDoesNotWantToBeSampledIsNot) {
  EXPECT_FALSE(trace_of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", {}).sampled);
  const TraceContext trace = trace_of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-fe", {});
  EXPECT_THAT(trace.traceparent(), testing::EndsWith("-00")) << "flags that we do not know are not handed on";
}

TEST(TraceContext, WithoutOneATraceBegins) {
  const TraceContext trace = trace_of({}, {});
  EXPECT_THAT(trace.traceparent(), MatchesRegex("00-[0-9a-f]{32}-[0-9a-f]{16}-01"));
  EXPECT_EQ(trace.parent_id, "");
  EXPECT_NE(trace.trace_id, trace_of({}, {}).trace_id);
}

TEST(TraceContext, AVersionToComeMaySayMore) {
  EXPECT_EQ(trace_of("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", {}).trace_id, kTrace);
  EXPECT_EQ(trace_of("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-the-future", {}).trace_id, kTrace);
  EXPECT_NE(trace_of("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.what", {}).trace_id, kTrace);
}

class Broken : public testing::TestWithParam<const char*> {};

TEST_P(Broken, ATraceparentThatBreaksTheRulesIsNone) {
  const TraceContext trace = trace_of(GetParam(), "congo=t61rcWkgMzE");
  EXPECT_EQ(trace.parent_id, "");
  EXPECT_EQ(trace.state, "") << "and its state is dropped";
  EXPECT_THAT(trace.traceparent(), MatchesRegex("00-[0-9a-f]{32}-[0-9a-f]{16}-01"));
}

INSTANTIATE_TEST_SUITE_P(Rules, Broken,
                         testing::Values("", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
                                         "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
                                         "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                                         "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                                         "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                         "0x-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                         "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
                                         "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
                                         "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01",
                                         " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));

}  // namespace
}  // namespace ferry
