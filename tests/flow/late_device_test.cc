// Steps on a device that does what it is told later: when a step is over, and what is asked of the device for it.

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/engine/member.h"
#include "core/handoff/path_probe.h"
#include "parallel/solo.h"
#include "tests/flow/far_ops.h"
#include "tests/flow/next_batch.h"
#include "tests/flow/tiny_file.h"
#include "tests/support/manual_clock.h"
#include "transport/memory_link.h"
#include "transport/staged/staged_link.h"

namespace ferry {
namespace {

constexpr int kPageTokens = 4;

// A model that reads one sequence.
class Reading {
 public:
  explicit Reading(const ModelFile& file)
      : slice_(tp_slices(file.tp_shape, 1)[0]),
        layout_(shards_of({slice_}, file.config.n_layers)[0], kPageTokens, file.config.head_dim, KvDtype::f32, kPages),
        kv_(ops_.far().allocate_far(layout_.bytes())),
        model_({file.config, slice_, load_weights(file.tensors, file.config, slice_, ops_)},
               {.max_rows = 64, .max_logit_rows = 64, .max_pages = kPages}, ops_, alone_) {}

  // The logits that are wanted: of these rows.
  Digests read(const std::vector<int>& tokens, std::vector<int> logit_rows) {
    const int n_before = std::exchange(n_tokens_, n_tokens_ + static_cast<int>(tokens.size()));
    std::vector<int> pages(static_cast<size_t>(layout_.pages_for(n_tokens_)));
    std::iota(pages.begin(), pages.end(), 0);
    Batch batch = next_batch(tokens, n_before, std::move(pages));
    batch.logit_rows = std::move(logit_rows);
    return model_.forward(batch, layout_, kv_, {});
  }
  std::vector<float> logits(const std::vector<int>& rows) {
    const auto logits = model_.logits(rows);
    return {logits.begin(), logits.end()};
  }

  FarOps& ops() { return ops_; }
  int n_vocab() const { return slice_.vocab.size(); }

 private:
  static constexpr int kPages = 24;

  SoloCommunicator alone_;
  FarOps ops_{1};
  const TpSlice slice_;
  const KvLayout layout_;
  const std::span<std::byte> kv_;
  Model model_;
  int n_tokens_ = 0;
};

std::vector<int> some_tokens(int n) {
  std::vector<int> tokens(static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) tokens[static_cast<size_t>(i)] = 3 + i * 7 % 250;
  return tokens;
}

TEST(LateDevice, HasDoneAStepWhenThatIsOverWhetherLogitsAreWantedOrNot) {
  const TinyFile file;
  Reading reading(*file);
  int n_done = 0;
  reading.ops().on_layer_done = [&](int) { ++n_done; };
  reading.read(some_tokens(9), {});
  EXPECT_EQ(n_done, 2) << "layers";
  reading.read(some_tokens(3), {2});
  EXPECT_EQ(n_done, 4);
}

TEST(LateDevice, ComputesNothingOfAChunkBehindItsLastKeysAndValues) {
  const TinyFile file;
  Reading in_chunks(*file), at_once(*file);
  const std::vector<int> tokens = some_tokens(20);
  in_chunks.read({tokens.begin(), tokens.begin() + 11}, {});
  const std::vector<std::string>& launched = in_chunks.ops().launched;
  EXPECT_EQ(launched.back(), "rotate_and_store");
  EXPECT_EQ(std::ranges::count(launched, "attention"), 1) << "of two layers";
  EXPECT_EQ(std::ranges::count(launched, "add_and_norm"), 2);

  in_chunks.read({tokens.begin() + 11, tokens.end()}, {8});
  at_once.read(tokens, {19});
  EXPECT_EQ(launched.back(), "top_logits");
  EXPECT_EQ(in_chunks.logits({0}), at_once.logits({0}));
}

TEST(LateDevice, IsWaitedForOnceWhateverTheNumberOfAskedRows) {
  const TinyFile file;
  Reading reading(*file);
  reading.read(some_tokens(9), {0, 2, 3, 4, 7, 8});
  std::vector<float> one_by_one;
  const std::vector<int> rows = {1, 2, 3, 5};
  for (const int row : rows) {
    const std::vector<float> logits = reading.logits({row});
    one_by_one.insert(one_by_one.end(), logits.begin(), logits.end());
  }
  const int n_waits = reading.ops().far().n_waits();
  const std::vector<float> together = reading.logits(rows);
  EXPECT_EQ(reading.ops().far().n_waits() - n_waits, 1);
  EXPECT_EQ(together.size(), rows.size() * static_cast<size_t>(reading.n_vocab()));
  EXPECT_EQ(together, one_by_one);
}

// Its rows take time of a clock that stands still otherwise: 2.5 ms each, in two layers.
TEST(LateDevice, StepsOfALongPromptAreAsLongAsTheyMayBeByTheDevicesOwnTime) {
  const TinyFile file;
  ManualClock clock;
  SoloCommunicator alone;
  FarOps ops(1);
  ops.on_layer_done = [&](int n_rows) { clock.advance(n_rows * std::chrono::microseconds(1250)); };
  const KvSettings kv = {.page_tokens = kPageTokens, .memory = 1 << 20};
  const KvPlan plan = kv_plan(*file, kv, 1);
  MemoryFabric fabric;
  const auto link = make_staged_link(
      fabric.make_link(1 << 16),
      Staging{.device = ops.far(), .memory = ops.far().allocate_far(plan.bytes(0)), .slot_bytes = 4096});
  const Duration target = std::chrono::milliseconds(200);
  const SchedulingLimits limits = {.max_batch_tokens = 512, .max_sequences = 4, .step = target};
  Member member(*file, {.key = {"only", 1}, .kv = kv, .scheduling = limits}, {ops, alone, *link, clock});

  const Request request = {.id = 1, .prompt = some_tokens(500), .max_tokens = 1, .ignore_eos = true};
  member.engine().handle(
      wire::ToLeader(wire::Run{.attempt = {.request = 1}, .request = request, .deadline_ms = 60'000}));
  int n_steps = 0;
  for (; !member.engine().idle(); ++n_steps) {
    ASSERT_LT(n_steps, 20) << "it gets on";
    const Instant before = clock.now();
    member.leader().turn();
    EXPECT_LE(clock.now() - before, target) << "step " << n_steps;
  }
  EXPECT_EQ(n_steps, 7) << "64 rows, as long as nothing is known, then 80 a step";
}

}  // namespace
}  // namespace ferry
