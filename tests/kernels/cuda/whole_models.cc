// Whole models on the CUDA kernels, on this CPU: against the reference, and a golden prompt. Short: the emulator runs
// every thread of a card.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

#include "core/model/model.h"
#include "core/model/model_file.h"
#include "kernels/cpu/reference_ops.h"
#include "kernels/cuda/cuda_ops.h"
#include "parallel/solo.h"
#include "tests/flow/next_batch.h"
#include "tests/flow/tiny_file.h"
#include "tests/support/demo_model.h"

namespace ferry {
namespace {

// A model and the pages of one sequence, chunk by chunk.
class Reading {
 public:
  Reading(const ModelFile& file, Ops& ops)
      : slice_(tp_slices(file.tp_shape, 1)[0]),
        layout_(shards_of({slice_}, file.config.n_layers)[0], 4, file.config.head_dim, KvDtype::f16, kPages),
        kv_(ops.device(), layout_.bytes()),
        model_({file.config, slice_, load_weights(file.tensors, file.config, slice_, ops)},
               {.max_rows = 64, .max_logit_rows = 1, .max_pages = kPages}, ops, alone_) {}

  void read(const std::vector<int>& tokens) { model_.forward(next(tokens), layout_, {kv_.data(), kv_.size()}, {}); }

  // The logits after the last of these tokens.
  std::vector<float> logits_after(const std::vector<int>& tokens) {
    Batch batch = next(tokens);
    batch.logit_rows = {batch.n_rows() - 1};
    const Digests digests = model_.forward(batch, layout_, {kv_.data(), kv_.size()}, {});
    const auto logits = model_.logits({0});
    EXPECT_EQ(digests.ids, std::vector<int>{static_cast<int>(std::ranges::max_element(logits) - logits.begin())});
    return {logits.begin(), logits.end()};
  }

 private:
  static constexpr int kPages = 24;

  Batch next(const std::vector<int>& tokens) {
    const int n_before = std::exchange(n_tokens_, n_tokens_ + static_cast<int>(tokens.size()));
    std::vector<int> pages(static_cast<size_t>(layout_.pages_for(n_tokens_)));
    for (size_t i = 0; i < pages.size(); ++i) pages[i] = static_cast<int>(i * 7 % kPages);
    return next_batch(tokens, n_before, std::move(pages));
  }

  SoloCommunicator alone_;
  const TpSlice slice_;
  const KvLayout layout_;
  DeviceArray<std::byte> kv_;
  Model model_;
  int n_tokens_ = 0;
};

TinyModel tiny_of(const std::string& family) { return {.family = family, .n_heads = 6, .type = TensorType::q4_1}; }

// Step after step, within `tolerance` times the largest logit.
void expect_logits_of_the_reference(const TinyModel& tiny, const CudaSettings& settings, float tolerance) {
  SCOPED_TRACE(tiny.family);
  const TinyFile file(tiny);
  const auto reference_ops = make_reference_ops(), cuda_ops = make_cuda_ops(settings);
  Reading reference(*file, *reference_ops), cuda(*file, *cuda_ops);
  std::mt19937 random(3);
  for (const int n_tokens : {9, 1, 1, 17, 1}) {
    std::vector<int> tokens(static_cast<size_t>(n_tokens));
    for (int& token : tokens) token = static_cast<int>(random() % 300);
    if (n_tokens > 1) {  // a chunk that nobody wants logits of, before one that has them
      const std::vector<int> chunk(tokens.begin(), tokens.begin() + n_tokens / 2);
      reference.read(chunk);
      cuda.read(chunk);
      tokens.erase(tokens.begin(), tokens.begin() + n_tokens / 2);
    }
    const std::vector<float> want = reference.logits_after(tokens), got = cuda.logits_after(tokens);
    ASSERT_EQ(got.size(), want.size());
    const float largest = std::abs(*std::ranges::max_element(want, {}, [](float x) { return std::abs(x); }));
    for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], tolerance * largest) << i;
  }
}

TEST(WholeModel, EveryFamilyGivesTheLogitsOfTheReference) {
  // f16 pages: values that round to different neighbours differ by 2⁻¹¹.
  for (const char* family : {"llama", "qwen2", "qwen3"})
    expect_logits_of_the_reference(tiny_of(family), {.products = Products::f32}, 1e-3f);
}

// Roundings of 2⁻⁹ in every product of a few layers.
constexpr float kRounded = 0x1p-5f;

TEST(WholeModel, EveryFamilyGivesAboutTheLogitsOfTheReferenceWhereActivationsAreRounded) {
  for (const char* family : {"llama", "qwen2", "qwen3"})
    expect_logits_of_the_reference(tiny_of(family), {.products = Products::bf16}, kRounded);
}

TEST(WholeModel, EveryFamilyGivesAboutTheLogitsOfTheReferenceWhereWeightsAreRoundedToo) {
  for (const char* family : {"llama", "qwen2", "qwen3"}) {
    for (const OutputMatrix output : {OutputMatrix::embedding, OutputMatrix::own}) {
      TinyModel tiny = tiny_of(family);
      tiny.output = output;
      expect_logits_of_the_reference(tiny, {.products = Products::bf16, .weights = Weights::bf16}, kRounded);
    }
  }
}

TEST(WholeModel, TheDemoModelSaysThatTheCapitalOfFranceIsParis) {
  FERRY_DEMO_MODEL_OR_SKIP(path);
  const ModelFile file(path);
  for (const CudaSettings& settings :
       {CudaSettings{.products = Products::f32}, CudaSettings{.products = Products::bf16},
        CudaSettings{.products = Products::bf16, .weights = Weights::bf16}}) {
    const auto ops = make_cuda_ops(settings);
    Reading run(file, *ops);
    std::vector<int> next = {504, 3575, 282, 4649, 314};  // raw-capital in tests/data/golden-smollm2-….jsonl
    for (const int want : {7042, 30}) {
      const std::vector<float> logits = run.logits_after(next);
      next = {static_cast<int>(std::ranges::max_element(logits) - logits.begin())};
      EXPECT_EQ(next[0], want);
    }
  }
}

}  // namespace
}  // namespace ferry
