#include "launch/bench/load_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "core/base/error.h"

namespace ferry {
namespace {

using testing::HasSubstr;

double seconds_of(Duration d) { return std::chrono::duration<double>(d).count(); }

TEST(PoissonPlan, ArrivalsAreAsManyASecondAsAskedAndAsIrregularAsIndependentOnes) {
  constexpr int kRequests = 20000;
  constexpr double kRate = 50;
  const LoadPlan plan = poisson_plan(kRequests, kRate, {.n_prompt_tokens = 7, .n_tokens = 3}, 1);
  ASSERT_EQ(plan.size(), kRequests);
  double sum = 0, squares = 0, last = 0;
  for (const PlannedRequest& request : plan) {
    const double gap = seconds_of(request.at) - last;
    ASSERT_GE(gap, 0);
    last = seconds_of(request.at);
    sum += gap;
    squares += gap * gap;
    ASSERT_EQ(request.n_prompt_tokens, 7);
  }
  const double mean = sum / kRequests, variance = squares / kRequests - mean * mean;
  EXPECT_NEAR(mean * kRate, 1, 0.03);
  EXPECT_NEAR(variance / (mean * mean), 1, 0.1) << "that of an exponential distribution is its mean squared";
}

TEST(PoissonPlan, TheSeedDecides) {
  EXPECT_EQ(poisson_plan(50, 10, {}, 4), poisson_plan(50, 10, {}, 4));
  EXPECT_NE(poisson_plan(50, 10, {}, 4), poisson_plan(50, 10, {}, 5));
}

TEST(PoissonPlan, WithoutARateAllAreThereAtOnce) {
  for (const PlannedRequest& request : poisson_plan(9, 0, {}, 1)) EXPECT_EQ(request.at, Duration::zero());
}

constexpr const char* kAzure =
    "TIMESTAMP,ContextTokens,GeneratedTokens\n"
    "2023-11-16 23:59:59.5000000,4808,10\n"
    "2023-11-17 00:00:01.0000000,3180,8\n";

TEST(Trace, AzuresLinesCountFromTheFirst) {
  std::istringstream in(kAzure);
  const LoadPlan plan = read_trace(in, "azure.csv", {});
  ASSERT_EQ(plan.size(), 2u);
  EXPECT_EQ(plan[0].at, Duration::zero());
  EXPECT_NEAR(seconds_of(plan[1].at), 1.5, 1e-6) << "over midnight";
  EXPECT_EQ(plan[1].n_prompt_tokens, 3180);
  EXPECT_EQ(plan[1].n_tokens, 8);
}

TEST(Trace, LengthsAndPaceAreScaledAndNothingBecomesZero) {
  std::istringstream in(kAzure);
  const LoadPlan plan = read_trace(in, "azure.csv", {.lengths = 0.01, .pace = 3, .max_requests = 2});
  EXPECT_EQ(plan[0].n_prompt_tokens, 48);
  EXPECT_EQ(plan[0].n_tokens, 1);
  EXPECT_NEAR(seconds_of(plan[1].at), 0.5, 1e-6);
}

TEST(Trace, MooncakesBlocksThatAreEqualAreEqualText) {
  std::istringstream in(R"({"timestamp": 500, "input_length": 1030, "output_length": 5, "hash_ids": [1, 2, 3]})"
                        "\n"
                        R"({"timestamp": 750, "input_length": 1100, "output_length": 6, "hash_ids": [1, 4, 5]})"
                        "\n");
  const LoadPlan plan = read_trace(in, "mooncake.jsonl", {});
  ASSERT_EQ(plan.size(), 2u);
  EXPECT_NEAR(seconds_of(plan[1].at), 0.25, 1e-6);
  const auto a = prompt_of(plan[0], 1, 0), b = prompt_of(plan[1], 1, 1);
  ASSERT_EQ(a.size(), 1030u);
  ASSERT_EQ(b.size(), 1100u);
  EXPECT_TRUE(std::equal(a.begin(), a.begin() + 512, b.begin())) << "block 1";
  EXPECT_FALSE(std::equal(a.begin() + 512, a.begin() + 1024, b.begin() + 512)) << "blocks 2 and 4";
}

TEST(Trace, ALineThatIsNoneIsNamed) {
  for (const char* text :
       {"TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,2\n",
        "{\"timestamp\": 0, \"input_length\": 1, \"output_length\": 1, \"hash_ids\": []}\n{\"a\": 1}\n", "\n{\n"}) {
    std::istringstream in(text);
    try {
      read_trace(in, "trace", {});
      ADD_FAILURE() << text;
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), HasSubstr("trace:2: ")) << text;
    }
  }
  std::istringstream empty("TIMESTAMP,ContextTokens,GeneratedTokens\n");
  EXPECT_THROW(read_trace(empty, "trace", {}), Error);
}

TEST(Prompts, DifferFromRequestToRequestAndAreTheSameAgain) {
  const PlannedRequest request = {.n_prompt_tokens = 40};
  EXPECT_EQ(prompt_of(request, 1, 0), prompt_of(request, 1, 0));
  EXPECT_NE(prompt_of(request, 1, 0), prompt_of(request, 1, 1));
  EXPECT_NE(prompt_of(request, 1, 0), prompt_of(request, 2, 0));
}

}  // namespace
}  // namespace ferry
