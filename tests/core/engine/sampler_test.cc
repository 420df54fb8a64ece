#include "core/engine/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace ferry {
namespace {

constexpr int kEnd = 3;

Token choose(const std::vector<float>& logits, const Request& request, const std::vector<int>& tokens) {
  const std::vector<int> ends = {kEnd};
  return next_token(logits, request, tokens, ends);
}

TEST(Sampler, GreedyTakesTheLowestIdAmongEquals) { EXPECT_EQ(choose({1, 5, 5, 2}, {.prompt = {0}}, {0}).id, 1); }

TEST(Sampler, PresenceIsTakenOnceAndFrequencyEachTimeOfWhatWasGenerated) {
  Request request = {.prompt = {0}};
  request.sampling.presence_penalty = 1;
  EXPECT_EQ(choose({5, 4.5, 0, 0}, request, {0}).id, 0) << "the prompt does not count";
  EXPECT_EQ(choose({5, 4.5, 0, 0}, request, {0, 0}).id, 1);
  EXPECT_EQ(choose({5, 3.5, 0, 0}, request, {0, 0, 0}).id, 0) << "once";
  request.sampling.presence_penalty = 0;
  request.sampling.frequency_penalty = 1;
  EXPECT_EQ(choose({5, 3.5, 0, 0}, request, {0, 0}).id, 0);
  EXPECT_EQ(choose({5, 3.5, 0, 0}, request, {0, 0, 0}).id, 1);
}

TEST(Sampler, RepetitionDividesWhatIsLikelyAndMultipliesWhatIsNotOfThePromptToo) {
  Request request = {.prompt = {0}};
  request.sampling.repetition_penalty = 2;
  EXPECT_EQ(choose({5, 3, 0, 0}, request, {0}).id, 1);
  EXPECT_EQ(choose({-1, -1.5, -9, -9}, request, {0}).id, 1);
}

TEST(Sampler, ABiasIsAddedAndDoesNotChangeLogprobs) {
  Request request = {.prompt = {0}, .n_logprobs = 1};
  const float plain = choose({1, 2, 3, 0}, request, {0}).logprob;
  request.sampling.logit_bias = {{.id = 2, .bias = 100}, {.id = 900, .bias = 100}};
  const Token token = choose({1, 2, 3, 0}, request, {0});
  EXPECT_EQ(token.id, 2);
  EXPECT_EQ(token.logprob, plain);
}

TEST(Sampler, NoEndTokenComesBeforeTheLeastNumberOfTokens) {
  Request request = {.prompt = {0}, .min_tokens = 2};
  EXPECT_EQ(choose({1, 2, 0, 9}, request, {0}).id, 1);
  EXPECT_EQ(choose({1, 2, 0, 9}, request, {0, 1}).id, 1);
  EXPECT_EQ(choose({1, 2, 0, 9}, request, {0, 1, 1}).id, kEnd);
}

// What an attempt that goes on sees: the tokens that were told are the end of its prompt.
TEST(Sampler, AnAttemptThatGoesOnChoosesWhatTheFirstOneWouldHave) {
  const int seed = 20;
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 2);
  Request request = {.prompt = {5, 6}, .min_tokens = 4};
  request.sampling = {.temperature = 1,
                      .seed = 7,
                      .presence_penalty = 0.5,
                      .frequency_penalty = 0.7,
                      .repetition_penalty = 1.2F,
                      .logit_bias = {{.id = 1, .bias = 1}}};
  for (int n = 0; n < 50; ++n) {
    std::vector<float> logits(8);
    for (float& logit : logits) logit = normal(random);
    const std::vector<int> tokens = {5, 6, 1, 1, 4};
    Request rest = request;
    rest.prompt = {5, 6, 1, 1};
    rest.n_told = 2;
    EXPECT_EQ(choose(logits, rest, tokens).id, choose(logits, request, tokens).id) << "seed " << seed;
  }
}

}  // namespace
}  // namespace ferry
