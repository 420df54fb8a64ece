// A whole group on one route: scheduler, model, sampling and tensor parallelism together.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "core/engine/member.h"
#include "core/router/router.h"
#include "kernels/cpu/reference_ops.h"
#include "parallel/threads.h"
#include "tests/flow/tiny_file.h"
#include "transport/memory_link.h"

namespace ferry {
namespace {

class SteadyClock final : public Clock {
 public:
  Instant now() const override { return std::chrono::steady_clock::now(); }
};

struct Setting {
  int tp = 1;
  SchedulingLimits limits = {.max_batch_tokens = 64, .max_sequences = 8};
  KvSettings kv = {.page_tokens = 4, .memory = 1 << 20};
};

std::vector<Request> requests(int n, unsigned seed, int n_vocab) {
  std::mt19937 random(seed);
  std::vector<Request> all;
  for (int i = 0; i < n; ++i) {
    Request r = {.id = i + 1, .max_tokens = static_cast<int>(1 + random() % 12), .n_logprobs = 3, .ignore_eos = true};
    const int length = 1 + random() % 40;
    for (int t = 0; t < length; ++t) r.prompt.push_back(random() % n_vocab);
    if (i % 3 == 2) r.sampling = {.temperature = 1.5, .top_k = 20, .top_p = 0.9f, .seed = random()};
    all.push_back(r);
  }
  return all;
}

struct Told {
  std::vector<Token> prompt, answer;
  std::string error;  // empty: none
};

// Serves all requests at once on a group of threads; every page is free at the end.
std::map<RequestId, Told> told(const ModelFile& file, const Setting& setting, const std::vector<Request>& all) {
  MemoryFabric fabric;
  ThreadGroup threads(setting.tp);
  const SteadyClock clock;
  const KvPlan plan = kv_plan(file, setting.kv, setting.tp);
  std::map<RequestId, Told> result;
  threads.run([&](Communicator& group) {
    const auto ops = make_reference_ops();
    const auto link = fabric.make_link(plan.bytes(group.rank()));
    Member member(file, {.key = {"only", 1}, .kv = setting.kv, .scheduling = setting.limits},
                  {*ops, group, *link, clock});
    if (!member.leads()) return member.follow();
    Router router({.model_hash = file.hash, .epoch = 3}, clock);
    router.message(0, wire::Hello{.group = member.info()});
    for (const Request& r : all) router.submit(r, std::chrono::minutes(5));
    size_t n_over = 0;
    while (n_over < all.size()) {
      router.tick();
      for (const auto& [stream, message] : router.take_to_leaders()) member.engine().handle(message);
      member.leader().turn();
      for (const auto& message : member.engine().take_to_router()) router.message(0, message);
      for (const RequestEvent& e : router.take_events()) {
        Told& of = result[e.id];
        of.error = e.error;
        of.answer.insert(of.answer.end(), e.tokens.begin(), e.tokens.end());
        of.prompt.insert(of.prompt.end(), e.prompt_logprobs.begin(), e.prompt_logprobs.end());
        n_over += e.last();
      }
    }
    EXPECT_EQ(member.engine().stats().pages.free, plan.n_pages);
    member.engine().handle(wire::ToLeader(wire::Stop{}));
    EXPECT_EQ(member.leader().turn(), Leader::Turn::last);
  });
  return result;
}

using Answers = std::map<RequestId, std::vector<int>>;

Answers answers(const ModelFile& file, const Setting& setting, const std::vector<Request>& all) {
  Answers ids;
  for (const auto& [id, one] : told(file, setting, all)) {
    EXPECT_EQ(one.error, "");
    for (const Token& token : one.answer) ids[id].push_back(token.id);
  }
  return ids;
}

// Each request alone, on one rank: what the others are held against.
Answers one_at_a_time(const ModelFile& file, const std::vector<Request>& all) {
  Answers result;
  for (const Request& r : all) result.merge(answers(file, {}, {r}));
  return result;
}

TEST(Colocated, ABatchGivesTheTokensOfOneAtATime) {
  const TinyFile file(nine_heads());
  const auto all = requests(20, 7, 301);
  const Answers expected = one_at_a_time(*file, all);
  for (const Request& r : all) EXPECT_EQ(expected.at(r.id).size(), static_cast<size_t>(r.max_tokens));
  EXPECT_EQ(answers(*file, {}, all), expected);
}

TEST(Colocated, EveryDegreeGivesTheSameTokens) {
  for (const std::string family : {"llama", "qwen2", "qwen3"}) {
    SCOPED_TRACE(family);
    TinyModel model = nine_heads();
    model.family = family;
    const TinyFile file(model);
    const auto all = requests(12, 11, 301);
    const Answers expected = answers(*file, {}, all);
    for (int tp = 2; tp <= 9; ++tp) EXPECT_EQ(answers(*file, {.tp = tp}, all), expected) << "tp " << tp;
  }
}

TEST(Colocated, ChunksOfAnySizeGiveTheSameTokens) {
  const TinyFile file;
  const auto all = requests(12, 13, 320);
  const Answers expected = answers(*file, {}, all);
  for (int chunk : {1, 3, 4, 7, 1000}) {
    const Setting setting = {.limits = {.max_batch_tokens = chunk, .max_sequences = std::min(chunk, 8)}};
    EXPECT_EQ(answers(*file, setting, all), expected) << "chunk " << chunk;
  }
}

// What an answer's tokens were given while they were generated, they get as a prompt.
TEST(Colocated, APromptsLogprobsAreThoseThatItsTokensHadAsAnAnswer) {
  const TinyFile file;
  const auto all = requests(10, 19, 320);
  const auto first = told(*file, {}, all);
  std::vector<Request> as_prompts;
  for (Request r : all) {
    for (const Token& token : first.at(r.id).answer) r.prompt.push_back(token.id);
    r.max_tokens = 2;
    r.prompt_logprobs = true;
    as_prompts.push_back(r);
    as_prompts.back().id += 100;  // once more, when its beginning can be found in the cache
    as_prompts.push_back(r);
  }
  const size_t page = kv_plan(*file, Setting().kv, 1).layouts[0].page_bytes();
  for (const Setting& setting :
       {Setting{}, Setting{.tp = 2}, Setting{.limits = {.max_batch_tokens = 7, .max_sequences = 1}},
        Setting{.limits = {.max_batch_tokens = 5, .max_sequences = 3}},
        Setting{.kv = {.page_tokens = 4, .memory = 16 * page}}}) {
    SCOPED_TRACE(testing::Message() << "tp " << setting.tp << ", sequences " << setting.limits.max_sequences
                                    << ", memory " << setting.kv.memory);
    const auto second = told(*file, setting, as_prompts);
    for (const Request& r : as_prompts) {
      const std::vector<Token>& scored = second.at(r.id).prompt;
      ASSERT_EQ(scored.size(), r.prompt.size() - 1);
      for (size_t i = 0; i < scored.size(); ++i) ASSERT_EQ(scored[i].id, r.prompt[i + 1]);
      const std::vector<Token>& generated = first.at(r.id % 100).answer;
      for (size_t i = 0; i < generated.size(); ++i) {
        const Token& again = scored[scored.size() - generated.size() + i];
        EXPECT_NEAR(again.logprob, generated[i].logprob, 1e-4);
        ASSERT_EQ(again.top.size(), 3u);
        EXPECT_EQ(again.top[0].id, generated[i].top[0].id);
      }
    }
  }
}

// An embedding of NaN: what has that token in its prompt has no numbers, others are as they were.
TEST(Colocated, ARequestWithoutNumbersFailsAlone) {
  constexpr int kBroken = 200;
  GgufContent content = tiny_model();
  const auto embedding = std::ranges::find(content.tensors, "token_embd.weight", &TensorContent::name);
  const size_t row_bytes = embedding->data.size() / 320;
  std::fill_n(embedding->data.begin() + static_cast<std::ptrdiff_t>(kBroken * row_bytes), row_bytes, std::byte{0xff});
  const TinyFile file(content);
  std::vector<Request> all = requests(12, 23, kBroken);
  for (Request& r : all) r.prompt.resize(20, 7);
  for (size_t i = 0; i < all.size(); i += 2) all[i].prompt[15] = kBroken;
  all[2].prompt_logprobs = true;
  for (const int tp : {1, 3}) {
    const std::map<RequestId, Told> got = told(*file, {.tp = tp}, all);
    for (size_t i = 0; i < all.size(); ++i) {
      const Told& one = got.at(all[i].id);
      if (i % 2 == 0) {
        EXPECT_THAT(one.error, testing::HasSubstr("group only computed no finite numbers (NaN) from "));
      } else {
        EXPECT_EQ(one.error, "");
        EXPECT_EQ(one.answer.size(), static_cast<size_t>(all[i].max_tokens));
      }
    }
  }
}

TEST(Colocated, ABatchLargerThanTheMemoryIsAQueue) {
  const TinyFile file;
  const auto all = requests(24, 17, 320);
  const Answers expected = answers(*file, {}, all);
  Setting small;
  const size_t page = kv_plan(*file, small.kv, 1).layouts[0].page_bytes();
  small.kv.memory = 14 * page;  // the longest request needs 13 pages
  // They grow into each other's pages: sequences give them up and are computed again.
  EXPECT_EQ(answers(*file, small, all), expected);
}

}  // namespace
}  // namespace ferry
