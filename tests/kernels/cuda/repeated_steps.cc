// Steps that are recorded and replayed: what a launch was given by value stays as it was, what it points to may change.

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "core/base/error.h"
#include "core/model/model.h"
#include "core/model/model_file.h"
#include "kernels/cuda/cuda_ops.h"
#include "parallel/solo.h"
#include "tests/flow/tiny_file.h"

namespace ferry {
namespace {

// Counts what was done on the device, and how often launches were called for it.
class Counting {
 public:
  Counting() : steps_(ops_->repeated_steps({.n_rows = 100, .n_pages = 1000})) {}

  void run(const StepForm& form) {
    steps_->run(form, [this] {
      ++n_called;
      add_one();
      if (fails) throw Error("a launch failed");
    });
  }
  float n_done() {
    float n = 0;
    ops_->device().download(&n, sum_.data(), sizeof n);
    return n;
  }
  const RepeatedSteps& steps() const { return *steps_; }

  int n_called = 0;
  bool fails = false;

 private:
  void add_one() {
    ops_->add_and_norm(
        {.x = sum_.data(), .y = one_.data(), .weight = one_.data(), .out = out_.data(), .n_rows = 1, .width = 1});
  }

  const std::unique_ptr<Ops> ops_ = make_cuda_ops({});
  const DeviceArray<float> sum_{ops_->device(), std::vector<float>{0}}, one_{ops_->device(), std::vector<float>{1}},
      out_{ops_->device(), 1};
  const std::unique_ptr<RepeatedSteps> steps_;
};

TEST(RepeatedSteps, AFormIsLaunchedPlainlyThenRecordedThenReplayed) {
  Counting counting;
  for (int i = 1; i <= 5; ++i) {
    counting.run({.n_rows = 1});
    EXPECT_EQ(counting.n_done(), static_cast<float>(i));
    EXPECT_EQ(counting.n_called, std::min(i, 2));
  }
}

TEST(RepeatedSteps, OfManyFormsTheOldestAreForgotten) {
  Counting counting;
  constexpr int kForms = 100;
  for (int i = 0; i < 3 * kForms; ++i) counting.run({.n_rows = 1 + i / 3});
  EXPECT_EQ(counting.n_called, 2 * kForms);
  counting.run({.n_rows = kForms});  // known
  EXPECT_EQ(counting.n_called, 2 * kForms);
  counting.run({.n_rows = 1});  // not any more
  EXPECT_EQ(counting.n_called, 2 * kForms + 1);
  EXPECT_EQ(counting.n_done(), 3 * kForms + 2);
}

TEST(RepeatedSteps, ALaunchThatFailsWhileRecordedIsAnErrorAndTheNextStepIsRecordedAnew) {
  Counting counting;
  counting.run({});
  counting.fails = true;
  EXPECT_THROW(counting.run({}), Error);
  EXPECT_EQ(counting.n_done(), 1);
  counting.fails = false;
  counting.run({});
  counting.run({});
  EXPECT_EQ(counting.n_done(), 3);
  EXPECT_EQ(counting.n_called, 3);
}

TEST(RepeatedSteps, ArePaddedByAtMostAThirdOrToThePowerOfTwo) {
  Counting counting;
  const auto rows = [&](int n) { return counting.steps().padded({.n_rows = n}).n_rows; };
  for (const auto& [n, want] : {std::pair(1, 1),
                                {2, 2},
                                {3, 4},
                                {5, 8},
                                {9, 16},
                                {16, 16},
                                {17, 24},
                                {24, 24},
                                {25, 32},
                                {33, 48},
                                {49, 64},
                                {65, 96},
                                {96, 96},
                                {97, 100}})
    EXPECT_EQ(rows(n), want) << n;
  EXPECT_EQ(counting.steps().padded({.n_rows = 1, .n_pages = 600}).n_pages, 1000) << "the most there are";
}

// A model that reads up to kSequences texts side by side, a token of each a step.
class Texts {
 public:
  Texts(const ModelFile& file, Ops& ops, Model::LayerDone layer_done)
      : slice_(tp_slices(file.tp_shape, 1)[0]),
        layout_(shards_of({slice_}, file.config.n_layers)[0], 4, file.config.head_dim, KvDtype::f16,
                kSequences * kPages),
        kv_(ops.device(), layout_.bytes()),
        model_({file.config, slice_, load_weights(file.tensors, file.config, slice_, ops)},
               {.max_rows = kSequences, .max_logit_rows = kSequences, .max_pages = kSequences * kPages}, ops, alone_),
        layer_done_(std::move(layer_done)) {}

  // The logits after one more token of each of these texts, and what is made of them on the device.
  std::vector<float> logits_after(const std::vector<int>& texts, std::mt19937& random) {
    Batch batch;
    batch.n_best = 1 + 3 * (texts.size() % 2);
    for (const int text : texts) {
      batch.logit_rows.push_back(batch.n_rows());
      batch.scales.push_back(0.5f + static_cast<float>(batch.n_rows()));
      batch.tokens.push_back(static_cast<int>(random() % 300));
      batch.positions.push_back(n_tokens_[static_cast<size_t>(text)]++);
      batch.row_begin.push_back(batch.n_rows());
      for (int i = 0; i < layout_.pages_for(batch.positions.back() + 1); ++i)
        batch.pages.push_back(i * kSequences + text);
      batch.page_begin.push_back(static_cast<int>(batch.pages.size()));
    }
    const Digests digests = model_.forward(batch, layout_, {kv_.data(), kv_.size()}, layer_done_);
    const auto logits = model_.logits(batch.logit_rows);
    std::vector<float> all(logits.begin(), logits.end());
    for (const auto* part : {&digests.best, &digests.sums}) all.insert(all.end(), part->begin(), part->end());
    return all;
  }

  static constexpr int kSequences = 18;

 private:
  static constexpr int kPages = 6;

  SoloCommunicator alone_;
  const TpSlice slice_;
  const KvLayout layout_;
  DeviceArray<std::byte> kv_;
  Model model_;
  const Model::LayerDone layer_done_;
  std::vector<int> n_tokens_ = std::vector<int>(kSequences);
};

TEST(WholeModel, StepsThatAreReplayedWithPaddingGiveTheBitsOfThoseThatAreNot) {
  for (const char* family : {"llama", "qwen3"}) {
    TinyModel tiny;
    tiny.family = family;
    tiny.n_heads = 6;
    tiny.type = TensorType::q4_1;
    const TinyFile file(tiny);
    const auto ops = make_cuda_ops({});
    Texts replayed(*file, *ops, {}), launched(*file, *ops, [](int) {});  // whoever wants to know of layers is told
    std::mt19937 shuffling(5), random(7), same_random(7);
    std::vector<int> all(Texts::kSequences);
    std::iota(all.begin(), all.end(), 0);
    for (const int n : {1, 1, 1, 2, 3, 3, 3, 4, 5, 8, 8, 9, 9, 12, 17, 18, 17, 18, 9, 3, 1, 1}) {
      SCOPED_TRACE(testing::Message() << family << ", " << n << " sequences");
      std::ranges::shuffle(all, shuffling);
      const std::vector<int> texts(all.begin(), all.begin() + n);
      ASSERT_EQ(replayed.logits_after(texts, random), launched.logits_after(texts, same_random));
    }
  }
}

}  // namespace
}  // namespace ferry
