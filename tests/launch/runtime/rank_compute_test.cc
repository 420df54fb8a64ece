#include "launch/runtime/rank_compute.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/codec.h"
#include "core/base/error.h"
#include "kernels/cuda/cuda_ops.h"
#include "parallel/solo.h"
#include "parallel/threads.h"
#include "tests/flow/tiny_file.h"

namespace ferry {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

ClusterConfig groups(const std::string& list) { return parse_cluster("model: m\ngroups:\n" + list, "c.yaml"); }

TEST(CardTurn, GroupsOfAHostTakeCardsOneAfterTheOther) {
  const ClusterConfig c = groups(
      "- {name: p0, role: prefill, tp: 4}\n"
      "- {name: p1, role: prefill, tp: 2}\n"
      "- {name: d0, role: decode, tp: 2}\n");
  EXPECT_EQ(card_turn(c, c.groups[0], 3), 3);
  EXPECT_EQ(card_turn(c, c.groups[1], 0), 4);
  EXPECT_EQ(card_turn(c, c.groups[2], 1), 7);
}

TEST(CardTurn, GroupsOnOtherHostsTakeNone) {
  const ClusterConfig c = groups(
      "- {name: p0, role: prefill, tp: 8, hosts: [a]}\n"
      "- {name: d0, role: decode, tp: 8, hosts: [b, c]}\n"
      "- {name: d1, role: decode, tp: 2, hosts: [c]}\n");
  EXPECT_EQ(card_turn(c, c.groups[1], 0), 0);
  EXPECT_EQ(card_turn(c, c.groups[2], 1), 5) << "half of d0 is on c";
}

TEST(CardTurn, FallsOnTheOnlyCardWhereABatchSystemShowsOne) {
  EXPECT_EQ(card_of_turn(5, 8), 5);
  EXPECT_EQ(card_of_turn(5, 1), 0);
  EXPECT_EQ(card_of_turn(9, 8), 1);
}

CardClaim claim(const std::string& host, const std::string& card) {
  return {.why_not = {}, .host = host, .card = card, .name = "NVIDIA H100"};
}

TEST(CardClaims, TwoRanksOnOneCardAreBothNamedUnlessTheyMayShare) {
  const std::vector<CardClaim> twice = {claim("a", "GPU-1"), claim("a", "GPU-2"), claim("a", "GPU-1")};
  EXPECT_EQ(
      why_not_on(twice, Switch::off),
      "ranks 0 and 2 would both compute on NVIDIA H100 (GPU-1). Start fewer ranks on this host, or try it out with "
      "cuda.share_cards: on");
  EXPECT_EQ(why_not_on(twice, Switch::on), "");
  EXPECT_EQ(ranks_on_card_of(twice, 2), 2);
  EXPECT_EQ(ranks_on_card_of(twice, 1), 1);
  EXPECT_EQ(why_not_on({claim("a", "GPU-1"), claim("b", "GPU-1")}, Switch::off), "") << "cards of two hosts";
}

TEST(CardClaims, ARankWithoutACardIsNamedWithItsReason) {
  CardClaim none = claim("a", "");
  none.why_not = "no NVIDIA driver on this machine";
  EXPECT_EQ(why_not_on({claim("a", "GPU-1"), none}, Switch::off), "rank 1: no NVIDIA driver on this machine");
  EXPECT_EQ(why_not_on({none}, Switch::off), "no NVIDIA driver on this machine") << "alone it needs no number";
}

TEST(CardMemory, WhatIsNeededFollowsFromTheModelAndTheYaml) {
  const TinyFile file{TinyModel{}};
  const ModelConfig& config = (*file).config;
  constexpr auto kAsInFile = CudaConfig::Weights::file;
  const CardNeed one = card_need(*file, {.max_rows = 100, .max_logit_rows = 10}, kAsInFile, 1, 0);
  const CardNeed half = card_need(*file, {.max_rows = 100, .max_logit_rows = 10}, kAsInFile, 2, 0);
  EXPECT_GT(one.weights, half.weights);
  EXPECT_GE(one.activations, sizeof(float) * 100 * 3 * static_cast<size_t>(config.width) +
                                 sizeof(float) * 10 * static_cast<size_t>(config.n_vocab));
  const CardNeed more = card_need(*file, {.max_rows = 200, .max_logit_rows = 20}, kAsInFile, 1, 0);
  EXPECT_EQ(more.activations, 2 * one.activations);
  const GroupSettings settings = {.key = {}, .kv = {.memory = size_t{1} << 20}};
  EXPECT_EQ(card_need(*file, settings, kAsInFile, 1, 0).kv, kv_plan(*file, settings.kv, 1).bytes(0));
}

size_t n_values_of(const MatrixView& matrix) {
  return static_cast<size_t>(matrix.n_rows) * static_cast<size_t>(matrix.n_cols);
}

TEST(CardMemory, WeightsThatAreMadeBf16TakeTwoBytesAValueButNotATableThatIsOnlyAnEmbedding) {
  TinyModel tiny = {.type = TensorType::q8_0, .embedding_type = TensorType::q8_0};
  for (const OutputMatrix output : {OutputMatrix::embedding, OutputMatrix::own}) {
    tiny.output = output;
    const TinyFile file{tiny};
    const ModelTensors& tensors = (*file).tensors;
    size_t want = 2 * n_values_of(tensors.output);
    if (output == OutputMatrix::own) want += n_values_of(tensors.embedding) / 32 * 34;
    for (const LayerTensors& t : tensors.layers) {
      for (const MatrixView* matrix : {&t.q, &t.k, &t.v, &t.attention_out, &t.gate, &t.up, &t.down})
        want += 2 * n_values_of(*matrix);
    }
    const ModelLimits limits = {.max_rows = 100, .max_logit_rows = 10};
    const CardNeed bf16 = card_need(*file, limits, CudaConfig::Weights::bf16, 1, 0);
    const CardNeed in_file = card_need(*file, limits, CudaConfig::Weights::file, 1, 0);
    EXPECT_EQ(bf16.weights, want);
    EXPECT_EQ(bf16.total() - bf16.weights, in_file.total() - in_file.weights);
    EXPECT_EQ(in_file.spared_by_file, 0u);
    EXPECT_EQ(bf16.spared_by_file, bf16.weights - in_file.weights);
  }
}

constexpr size_t kGiB = size_t{1} << 30;

TEST(CardMemory, WhatDoesNotFitIsToldWithTheKvMemoryThatWould) {
  const CardNeed need = {.weights = 40 * kGiB, .kv = 40 * kGiB, .activations = kGiB, .scratch = kGiB};
  EXPECT_EQ(why_no_room(need, 82 * kGiB), "");
  EXPECT_EQ(
      why_no_room(need, 79 * kGiB),
      "79GiB are free on the card, and this rank takes 82GiB: 40GiB of weights, 40GiB of KV, 1GiB of activations, "
      "1GiB to compute in. kv.memory: 37GiB would fit");
  EXPECT_THAT(why_no_room(need, 42 * kGiB), HasSubstr("use a higher tp, a smaller model"));
}

TEST(CardMemory, WhatDoesNotFitBecauseWeightsAreMadeBf16IsToldSo) {
  const CardNeed need = {
      .weights = 40 * kGiB, .kv = 40 * kGiB, .activations = kGiB, .scratch = kGiB, .spared_by_file = 28 * kGiB};
  EXPECT_EQ(why_no_room(need, 79 * kGiB),
            "79GiB are free on the card, and this rank takes 82GiB: 40GiB of weights made bf16, 40GiB of KV, 1GiB of "
            "activations, 1GiB to compute in. kv.memory: 37GiB would fit, and cuda.weights: file takes 28GiB less");
  EXPECT_THAT(why_no_room(need, 42 * kGiB),
              EndsWith("scheduling.max_batch_tokens, and cuda.weights: file takes 28GiB less"));
}

TEST(RankCompute, SaysWhatProductsAreOf) {
  EXPECT_EQ(arithmetic_text({}), "products of bf16");
  EXPECT_EQ(arithmetic_text({.weights = CudaConfig::Weights::bf16}), "weights made bf16, products of bf16");
  EXPECT_EQ(arithmetic_text({.products = CudaConfig::Products::f32}), "products of f32");
}

ClusterConfig computing(ClusterConfig::Compute compute) {
  ClusterConfig config;
  config.compute = compute;
  config.threads = 1;
  return config;
}

TEST(RankCompute, AutoIsTheCpuWhereThereIsNoCardAndSaysWhy) {
  if (why_no_cuda().empty()) GTEST_SKIP() << "there is a card";
  SoloCommunicator host;
  RankCompute compute(computing(ClusterConfig::Compute::automatic), host, {}, {});
  EXPECT_FALSE(compute.on_card());
  EXPECT_EQ(&compute.group(), &host);
  EXPECT_EQ(compute.text(), compute.ops().name() + " (compute: auto; not cuda: " + why_no_cuda() + ")");
}

TEST(RankCompute, CudaWithoutACardIsTheSameErrorOnEveryRank) {
  if (why_no_cuda().empty()) GTEST_SKIP() << "there is a card";
  ThreadGroup group(3);
  group.run([](Communicator& host) {
    try {
      const RankCompute compute(computing(ClusterConfig::Compute::cuda), host, {}, {});
      ADD_FAILURE() << "it computes";
    } catch (const Error& error) {
      EXPECT_EQ(error.what(), "compute: cuda: rank 0: " + why_no_cuda() + ". Or use compute: cpu");
    }
  });
}

TEST(RankCompute, TheCpuAsksNobody) {
  SoloCommunicator host;
  RankCompute reference(computing(ClusterConfig::Compute::reference), host, {}, {});
  EXPECT_EQ(reference.text(), "reference");
  RankCompute cpu(computing(ClusterConfig::Compute::cpu), host, {}, {});
  EXPECT_THAT(cpu.text(), HasSubstr("cpu"));
}

}  // namespace
}  // namespace ferry
