#include "core/engine/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <random>

#include "core/engine/draw.h"
#include "tests/support/made_up_digests.h"

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

TEST(Sampler, WhatIsNoNumberIsNeverChosen) {
  EXPECT_EQ(choose({NAN, 1, NAN, 0}, {.prompt = {0}}, {0}).id, 1);
  Request request = {.prompt = {0}};
  request.sampling.temperature = 1;
  for (request.sampling.seed = 0; request.sampling.seed < 40; ++request.sampling.seed) {
    EXPECT_NE(choose({NAN, 1, NAN, 0}, request, {0}).id % 2, 0) << "seed " << request.sampling.seed;
  }
}

// ---- draws

template <class T>
T one_of(std::mt19937& random, std::initializer_list<T> values) {
  return values.begin()[random() % values.size()];
}

// As draw.h says it, with everything sorted. Nullopt: the point is so near to the border of two tokens that the order
// of a sum decides.
std::optional<int> plainly_drawn(const std::vector<float>& logits, const Sampling& sampling, double point) {
  std::vector<Candidate> all;
  for (size_t i = 0; i < logits.size(); ++i) all.push_back({static_cast<int>(i), logits[i]});
  std::ranges::sort(all, better);
  if (sampling.top_k > 0) all.resize(std::min(all.size(), static_cast<size_t>(sampling.top_k)));
  std::vector<double> widths;
  double sum = 0;
  for (const Candidate& c : all) {
    const double width = std::exp((static_cast<double>(c.logit) - all[0].logit) / sampling.temperature);
    if (width < sampling.min_p) break;
    widths.push_back(width);
    sum += width;
  }
  double kept = 0;
  for (size_t i = 0; i < widths.size(); ++i) {
    kept += widths[i];
    if (std::abs(kept - sampling.top_p * sum) < 1e-12 * sum && sampling.top_p < 1) return std::nullopt;
    if (kept >= sampling.top_p * sum) widths.resize(i + 1);
  }
  double left = point * kept;
  for (size_t i = 0; i < widths.size(); ++i) {
    left -= widths[i];
    if (std::abs(left) < 1e-12 * sum) return std::nullopt;
    if (left < 0) return all[i].id;
  }
  return std::nullopt;
}

TEST(Sampler, ADrawIsTheOneOfAllTokensSorted) {
  int n_drawn = 0;
  for (unsigned seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    std::vector<float> logits(1 + random() % one_of(random, {3, 300, 5000}));
    std::normal_distribution<float> normal(0, one_of(random, {0.1f, 2.0f}));
    const bool coarse = random() % 4 == 0;
    for (float& logit : logits) logit = coarse ? std::round(normal(random)) : normal(random);
    const Sampling sampling = {.temperature = one_of(random, {0.1f, 1.0f, 3.0f}),
                               .top_k = one_of(random, {0, 0, 1, 40, 700}),
                               .top_p = one_of(random, {1.0f, 0.999f, 0.9f, 0.01f}),
                               .min_p = one_of(random, {0.0f, 0.0f, 0.05f})};
    const double point = std::uniform_real_distribution(0.0, 1.0)(random);
    const std::optional<int> want = plainly_drawn(logits, sampling, point);
    if (!want) continue;
    ASSERT_EQ(drawn_from(logits, sampling, point), *want);
    ++n_drawn;
  }
  EXPECT_GT(n_drawn, 2500);
}

TEST(Sampler, ANucleusEndsWithTheTokenThatMakesItLargeEnough) {
  const std::vector<float> equal(200, 1.0f);
  const Sampling half = {.temperature = 1, .top_p = 0.5f};
  EXPECT_EQ(drawn_from(equal, half, 0), 0);
  EXPECT_EQ(drawn_from(equal, half, 0.499), 49);
  EXPECT_EQ(drawn_from(equal, half, 0.999), 99) << "as likely as half of all, not more";
  EXPECT_EQ(drawn_from(equal, {.temperature = 1}, 0.999), 199);
}

// ---- from digests

// Of one row of logits, cut for that many ranks. Sums are off by `error`, relative.
RowDigest digest_of(const std::vector<float>& logits, int n_ranks, const DigestNeeds& needs, double error = 0) {
  const Batch batch = {.logit_rows = {0}, .n_best = needs.n_best, .scales = {needs.scale}};
  std::vector<Digests> parts;
  for (int rank = 0; rank < n_ranks; ++rank) {
    const Range vocabulary = even_part(static_cast<int>(logits.size()), n_ranks, rank);
    const auto part =
        std::span(logits).subspan(static_cast<size_t>(vocabulary.begin), static_cast<size_t>(vocabulary.size()));
    parts.push_back(digests_of(part, batch, vocabulary));
    for (float& sum : parts.back().sums) sum = static_cast<float>(sum * (1 + error));
  }
  return merged(parts, batch)[0];
}

std::vector<float> random_logits(std::mt19937& random) {
  std::normal_distribution<float> normal(0, one_of(random, {0.3f, 2.0f, 5.0f}));
  std::vector<float> logits(2 + random() % one_of(random, {40, 300, 3000}));
  const bool coarse = random() % 4 == 0;  // many are equal
  for (float& logit : logits) logit = coarse ? std::round(normal(random)) : normal(random);
  return logits;
}

Request random_request(std::mt19937& random, int n_vocab) {
  Request request = {
      .prompt = {0}, .min_tokens = one_of(random, {0, 0, 0, 9}), .n_logprobs = one_of(random, {-1, 0, 5, 20})};
  request.n_logprobs = std::min(request.n_logprobs, n_vocab);
  Sampling& sampling = request.sampling;
  sampling.seed = random();
  sampling.temperature = one_of(random, {0.0f, 0.2f, 0.7f, 1.0f, 1.0f, 1.8f});
  sampling.top_k = one_of(random, {0, 0, 0, 1, 20, 63, 64, 100});
  sampling.top_p = one_of(random, {1.0f, 1.0f, 0.95f, 0.9f, 0.3f});
  sampling.min_p = one_of(random, {0.0f, 0.0f, 0.0f, 0.02f, 0.3f});
  if (random() % 8 == 0) sampling.presence_penalty = one_of(random, {1.0f, 0.1f, -0.5f});
  if (random() % 8 == 0) sampling.frequency_penalty = one_of(random, {1.0f, 0.1f, -0.5f});
  if (random() % 8 == 0) sampling.repetition_penalty = one_of(random, {1.1f, 1.5f, 0.9f});
  while (random() % 8 == 0)
    sampling.logit_bias.push_back(
        {.id = static_cast<int>(random() % 400), .bias = one_of(random, {-100.0f, -1.0f, 0.0f, 2.0f})});
  return request;
}

// The prompt's one, and some that were generated.
std::vector<int> random_tokens(std::mt19937& random, int n_vocab) {
  std::vector<int> tokens(1 + random() % one_of(random, {3, 50, 200}));
  for (int& token : tokens) token = static_cast<int>(random() % static_cast<unsigned>(n_vocab));
  return tokens;
}

void expect_same(const Token& got, const Token& want) {
  EXPECT_EQ(got.id, want.id);
  EXPECT_NEAR(got.logprob, want.logprob, 1e-4);
  ASSERT_EQ(got.top.size(), want.top.size());
  for (size_t i = 0; i < want.top.size(); ++i) {
    EXPECT_EQ(got.top[i].id, want.top[i].id);
    EXPECT_NEAR(got.top[i].logprob, want.top[i].logprob, 1e-4);
  }
}

TEST(Sampler, ADigestGivesTheTokenOfWholeLogitsOrNone) {
  int n_tokens = 0;
  for (unsigned seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    const std::vector<float> logits = random_logits(random);
    const Request request = random_request(random, static_cast<int>(logits.size()));
    const std::vector<int> tokens = random_tokens(random, static_cast<int>(logits.size())),
                           ends = logits.size() > 6 ? std::vector<int>{kEnd, 6} : std::vector<int>{};
    const DigestNeeds needs = needs_of(request, tokens, ends);
    const Token want = next_token(logits, request, tokens, ends);
    for (int n_ranks = 1; n_ranks <= std::min<int>(4, static_cast<int>(logits.size())); ++n_ranks) {
      const double error = kSumTolerance * (static_cast<double>(random() % 201) / 100 - 1);
      const auto got = next_token(digest_of(logits, n_ranks, needs, error), request, tokens, ends);
      EXPECT_TRUE(got.has_value() || needs.may_ask);
      if (got) expect_same(*got, want);
      n_tokens += got.has_value();
    }
    if (HasFailure()) return;
  }
  EXPECT_GT(n_tokens, 4 * 2000 * 3 / 5) << "most need no whole logits";
}

TEST(Sampler, ATokenOfThePromptIsScoredFromADigestWhereItIsListed) {
  int n_listed = 0, n_asked = 0;
  for (unsigned seed = 0; seed < 1000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    const std::vector<float> logits = random_logits(random);
    const auto n_vocab = static_cast<int>(logits.size());
    const Request request = {.prompt = {0}, .n_logprobs = std::min(one_of(random, {0, 5, 64}), n_vocab)};
    const int id = static_cast<int>(random() % logits.size());
    const Token want = scored_token(logits, request, id);
    EXPECT_EQ(want.id, id);
    const auto got = scored_token(digest_of(logits, 1 + static_cast<int>(seed % 3 < logits.size() ? seed % 3 : 0),
                                            needs_of_scored(), kSumTolerance),
                                  request, id);
    if (got) expect_same(*got, want);
    (got ? n_listed : n_asked) += 1;
    if (HasFailure()) return;
  }
  EXPECT_GT(n_listed, 100);
  EXPECT_GT(n_asked, 100) << "what is not among the best is not told from a digest";
}

TEST(Sampler, ALargerDigestThanARowNeedsGivesTheSame) {
  std::mt19937 random(1);
  for (int n = 0; n < 100; ++n) {
    const std::vector<float> logits = random_logits(random);
    const auto token =
        next_token(digest_of(logits, 1, {.n_best = kMostBest}), {.prompt = {0}}, std::vector<int>{0}, {});
    ASSERT_TRUE(token.has_value());
    EXPECT_EQ(token->id, choose(logits, {.prompt = {0}}, {0}).id);
  }
}

// The others are so likely that the draw is for the first one by a hair's breadth.
TEST(Sampler, ADigestDoesNotDecideWhatItsSumsAreNotExactEnoughFor) {
  Request request = {.prompt = {0}};
  request.sampling = {.temperature = 1, .seed = 5};
  const std::vector<int> tokens = {0};
  const auto logits_at = [](float others) {
    std::vector<float> logits(100, others);
    logits[0] = 0;
    return logits;
  };
  float low = -20, high = -1e-3f;
  ASSERT_EQ(choose(logits_at(low), request, tokens).id, 0);
  ASSERT_NE(choose(logits_at(high), request, tokens).id, 0);
  while (high - low > 1e-6f) {
    const float middle = (low + high) / 2;
    (choose(logits_at(middle), request, tokens).id == 0 ? low : high) = middle;
  }
  const auto token_at = [&](float others) {
    return next_token(digest_of(logits_at(others), 2, needs_of(request, tokens, {})), request, tokens, {});
  };
  EXPECT_FALSE(token_at(low).has_value());
  EXPECT_FALSE(token_at(high).has_value());
  EXPECT_TRUE(token_at(low - 1e-2f).has_value());
}

TEST(Sampler, WhatLowersLogitsIsChosenFromADigest) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    std::vector<float> logits(1000);
    for (float& logit : logits) logit = std::normal_distribution<float>(0, 3)(random);
    Request request = {.prompt = {0}};
    request.sampling = {.temperature = one_of(random, {0.0f, 1.0f}),
                        .top_k = 20,
                        .seed = seed,
                        .presence_penalty = 0.5f,
                        .frequency_penalty = 0.5f,
                        .repetition_penalty = 1.2f,
                        .logit_bias = {{.id = 5, .bias = -100}}};
    std::vector<int> tokens(20);  // each may change twice, as repeated and as generated
    for (int& token : tokens)
      token =
          static_cast<int>(std::ranges::max_element(logits) - logits.begin()) - 10 + static_cast<int>(random() % 20);
    for (int& token : tokens) token = std::clamp(token, 0, 999);
    const std::vector<int> ends = {kEnd};
    const DigestNeeds needs = needs_of(request, tokens, ends);
    EXPECT_FALSE(needs.may_ask);
    const auto got = next_token(digest_of(logits, 3, needs), request, tokens, ends);
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(got->id, next_token(logits, request, tokens, ends).id);
  }
}

TEST(Sampler, ARowWithoutAFiniteBestHasNoNumbers) {
  const float infinity = std::numeric_limits<float>::infinity();
  const auto of = [](const std::vector<float>& logits) {
    return has_numbers(digest_of(logits, 2, {.n_best = kMostBest}));
  };
  EXPECT_TRUE(of({-infinity, -infinity, -3}));
  EXPECT_FALSE(of({-infinity, -infinity, -infinity}));
  EXPECT_FALSE(of({1, infinity, 2}));
}

TEST(Sampler, OneGreedyTokenNeedsTheBestAlone) {
  const Request greedy = {.prompt = {0}};
  const DigestNeeds needs = needs_of(greedy, std::vector<int>{0}, std::vector<int>{kEnd});
  EXPECT_EQ(needs.n_best, 1);
  EXPECT_FALSE(needs.may_ask);
}

}  // namespace
}  // namespace ferry
