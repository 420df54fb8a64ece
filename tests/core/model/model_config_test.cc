#include "core/model/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/model/gguf.h"
#include "tests/support/demo_model.h"
#include "tests/support/tiny_model.h"

namespace ferry {
namespace {

ModelConfig config_from(const GgufContent& content) {
  const auto bytes = gguf_bytes(content);
  return config_of(GgufFile("tiny", bytes));
}

std::string error_of(const GgufContent& content) {
  try {
    config_from(content);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

std::string error_with(const std::string& key, const MetadataContent& value) {
  GgufContent content = tiny_model();
  content.set(key, value);
  return error_of(content);
}

TEST(ModelConfig, IsWhatTheDemoModelSays) {
  FERRY_DEMO_MODEL_OR_SKIP(path);
  const ModelConfig config = config_of(GgufFile(path));
  EXPECT_EQ(config.family, "llama");
  EXPECT_EQ(config.n_layers, 30);
  EXPECT_EQ(config.width, 576);
  EXPECT_EQ(config.ffn_width, 1536);
  EXPECT_EQ(config.n_heads, 9);
  EXPECT_EQ(config.n_kv_heads, 3);
  EXPECT_EQ(config.head_dim, 64);
  EXPECT_EQ(config.n_vocab, 49152);
  EXPECT_EQ(config.max_context, 8192);
  EXPECT_EQ(config.rms_epsilon, 1e-5f);
  EXPECT_EQ(config.attention_scale, 0.125f);
  EXPECT_EQ(config.rope_pairs, RopePairs::interleaved);
  ASSERT_EQ(config.inverse_frequencies.size(), 32u);
  EXPECT_EQ(config.inverse_frequencies[0], 1);
  EXPECT_FLOAT_EQ(config.inverse_frequencies[16], 1 / std::sqrt(100000.0f));
}

TEST(ModelConfig, WhatALlamaFileLeavesOutHasTheFormatsDefault) {
  GgufContent content = tiny_model({.width = 64, .n_heads = 4, .n_kv_heads = 2, .n_vocab = 300});
  for (const char* key : {"llama.attention.head_count_kv", "llama.attention.key_length", "llama.vocab_size",
                          "llama.attention.value_length", "llama.rope.dimension_count", "llama.rope.freq_base"}) {
    content.remove(key);
  }
  const ModelConfig config = config_from(content);
  EXPECT_EQ(config.n_kv_heads, 4);
  EXPECT_EQ(config.head_dim, 16);
  EXPECT_EQ(config.n_vocab, 300);
  EXPECT_EQ(config.n_rotated, 16);
  EXPECT_FLOAT_EQ(config.inverse_frequencies[4], 0.01f);
}

TEST(ModelConfig, FamiliesDifferInDataOnly) {
  const ModelConfig qwen2 = config_from(tiny_model({.family = "qwen2"}));
  EXPECT_EQ(qwen2.rope_pairs, RopePairs::halves);
  EXPECT_EQ(qwen2.activation, Activation::silu);
  EXPECT_EQ(qwen2.embedding_scale, 1);
  EXPECT_EQ(config_from(tiny_model({.family = "qwen3", .head_dim = 32})).head_dim, 32);
  const ModelConfig gemma = config_from(tiny_model({.family = "gemma", .width = 64}));
  EXPECT_EQ(gemma.activation, Activation::gelu_tanh);
  EXPECT_EQ(gemma.embedding_scale, 8);
}

TEST(ModelConfig, RopeScalingDividesTheFrequencies) {
  GgufContent content = tiny_model({.head_dim = 8});
  const std::vector<float> plain = config_from(content).inverse_frequencies;

  content.set("llama.rope.scaling.type", "linear");
  content.set("llama.rope.scaling.factor", 4.0f);
  const std::vector<float> linear = config_from(content).inverse_frequencies;
  for (size_t i = 0; i < plain.size(); ++i) EXPECT_FLOAT_EQ(linear[i], plain[i] / 4);

  content.set("llama.rope.scaling.type", "none");
  EXPECT_EQ(config_from(content).inverse_frequencies, plain);

  const std::vector<float> divisors = {1, 1, 2.5f, 8};  // as files of Llama 3.1 hold them
  const auto bytes = std::as_bytes(std::span(divisors));
  content.tensors.push_back({.name = "rope_freqs.weight", .dims = {4}, .data = {bytes.begin(), bytes.end()}});
  const std::vector<float> divided = config_from(content).inverse_frequencies;
  for (size_t i = 0; i < plain.size(); ++i) EXPECT_FLOAT_EQ(divided[i], plain[i] / divisors[i]);

  content.tensor("rope_freqs.weight").dims = {3};
  EXPECT_EQ(error_of(content), "tiny: tensor 'rope_freqs.weight': has 1 × 3 values, must have 1 × 4");
}

TEST(ModelConfig, AWindowOfAttentionBoundsTheContext) {
  GgufContent content = tiny_model({.max_context = 512});
  content.set("llama.attention.sliding_window", 100u);
  EXPECT_EQ(config_from(content).max_context, 100);
}

TEST(ModelConfig, EveryValueOutOfRangeIsNamedWithItsRange) {
  EXPECT_EQ(error_with("llama.block_count", 0u), "tiny: metadata 'llama.block_count': is 0, must be 1 to 4096");
  EXPECT_EQ(error_with("llama.block_count", 1000000u),
            "tiny: metadata 'llama.block_count': is 1000000, must be 1 to 4096");
  EXPECT_EQ(error_with("llama.embedding_length", int64_t{-1}),
            "tiny: metadata 'llama.embedding_length': is -1, must be 1 to 1048576");
  EXPECT_EQ(error_with("llama.embedding_length", std::numeric_limits<uint64_t>::max()),
            "tiny: metadata 'llama.embedding_length': is -1, must be 1 to 1048576");
  EXPECT_EQ(error_with("llama.attention.head_count_kv", 3u),
            "tiny: metadata 'llama.attention.head_count_kv': is 3, which does not divide the 4 query heads");
  EXPECT_EQ(
      error_with("llama.attention.value_length", 8u),
      "tiny: metadata 'llama.attention.value_length': is 8, but attention.key_length is 16; Ferry needs them equal");
  EXPECT_EQ(error_with("llama.rope.dimension_count", 7u),
            "tiny: metadata 'llama.rope.dimension_count': is 7, must be even");
  EXPECT_EQ(error_with("llama.rope.dimension_count", 18u),
            "tiny: metadata 'llama.rope.dimension_count': is 18, must be 1 to 16");
  EXPECT_EQ(error_with("llama.rope.freq_base", std::nanf("")),
            "tiny: metadata 'llama.rope.freq_base': is nan, must be a normal f32 above 0");
  EXPECT_EQ(error_with("llama.attention.layer_norm_rms_epsilon", 0.0f),
            "tiny: metadata 'llama.attention.layer_norm_rms_epsilon': is 0, must be a normal f32 above 0");
  EXPECT_EQ(error_with("llama.rope.scaling.factor", 1e-39f),
            "tiny: metadata 'llama.rope.scaling.factor': is 1e-39, must be a normal f32 above 0");
  GgufContent content = tiny_model();
  content.set("llama.rope.freq_base", 1e-30f);
  content.set("llama.rope.scaling.factor", 1e-30f);
  EXPECT_THAT(error_of(content), testing::HasSubstr("which makes a frequency of"));
}

TEST(ModelConfig, WhatFerryCannotRunIsRefused) {
  EXPECT_EQ(error_with("general.architecture", "mamba"),
            "tiny: metadata 'general.architecture': is 'mamba', Ferry runs llama, qwen2, qwen3, gemma");
  EXPECT_EQ(error_with("llama.expert_count", 8u),
            "tiny: metadata 'llama.expert_count': is 8, Ferry runs no mixtures of experts");
  EXPECT_EQ(error_with("llama.rope.scaling.type", "yarn"),
            "tiny: metadata 'llama.rope.scaling.type': is 'yarn', Ferry knows 'none' and 'linear'");
}

TEST(ModelConfig, MissingAndMistypedKeysAreNamed) {
  GgufContent content = tiny_model();
  content.remove("llama.block_count");
  EXPECT_EQ(error_of(content), "tiny: metadata 'llama.block_count': is missing, must be of type integer");
  EXPECT_EQ(error_with("llama.block_count", "two"),
            "tiny: metadata 'llama.block_count': is of type string, not integer");
  EXPECT_EQ(error_with("llama.attention.head_count", std::vector<int32_t>{4, 4}),
            "tiny: metadata 'llama.attention.head_count': is of type array of int32, not integer");
}

}  // namespace
}  // namespace ferry
