#include "core/model/tensor_table.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/demo_model.h"
#include "tests/support/tiny_model.h"

namespace ferry {
namespace {

std::string error_of(const GgufContent& content) {
  const auto bytes = gguf_bytes(content);
  const GgufFile file("tiny", bytes);
  try {
    tensors_of(file, config_of(file));
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(TensorTable, FindsEveryTensorOfTheDemoModel) {
  FERRY_DEMO_MODEL_OR_SKIP(path);
  const GgufFile file(path);
  const ModelTensors tensors = tensors_of(file, config_of(file));
  ASSERT_EQ(tensors.layers.size(), 30u);
  EXPECT_EQ(tensors.output.data, tensors.embedding.data);
  const LayerTensors& last = tensors.layers.back();
  EXPECT_EQ(last.down.data, file.find_tensor("blk.29.ffn_down.weight")->matrix.data);
  EXPECT_EQ(last.k.n_rows, 192);
  EXPECT_EQ(last.q_bias.data, nullptr);
  EXPECT_EQ(last.q_norm.data, nullptr);
}

TEST(TensorTable, EveryTensorGoesToItsPlace) {
  GgufContent content = tiny_model({.family = "qwen3", .output = OutputMatrix::own});
  const auto bytes = gguf_bytes(content);
  const GgufFile file("tiny", bytes);
  const ModelTensors tensors = tensors_of(file, config_of(file));
  const auto data = [&](const char* name) { return file.find_tensor(name)->matrix.data; };
  EXPECT_EQ(tensors.embedding.data, data("token_embd.weight"));
  EXPECT_EQ(tensors.output_norm.data, data("output_norm.weight"));
  EXPECT_EQ(tensors.output.data, data("output.weight"));
  const LayerTensors& layer = tensors.layers[1];
  EXPECT_EQ(layer.attention_norm.data, data("blk.1.attn_norm.weight"));
  EXPECT_EQ(layer.q.data, data("blk.1.attn_q.weight"));
  EXPECT_EQ(layer.k.data, data("blk.1.attn_k.weight"));
  EXPECT_EQ(layer.v.data, data("blk.1.attn_v.weight"));
  EXPECT_EQ(layer.q_norm.data, data("blk.1.attn_q_norm.weight"));
  EXPECT_EQ(layer.k_norm.data, data("blk.1.attn_k_norm.weight"));
  EXPECT_EQ(layer.attention_out.data, data("blk.1.attn_output.weight"));
  EXPECT_EQ(layer.ffn_norm.data, data("blk.1.ffn_norm.weight"));
  EXPECT_EQ(layer.gate.data, data("blk.1.ffn_gate.weight"));
  EXPECT_EQ(layer.up.data, data("blk.1.ffn_up.weight"));
  EXPECT_EQ(layer.down.data, data("blk.1.ffn_down.weight"));
  EXPECT_EQ(layer.post_ffn_norm.data, nullptr);
}

TEST(TensorTable, BiasesAreThereWhereTheFamilyHasThem) {
  const auto bytes = gguf_bytes(tiny_model({.family = "qwen2"}));
  const GgufFile file("tiny", bytes);
  const LayerTensors layer = tensors_of(file, config_of(file)).layers[0];
  EXPECT_EQ(layer.q_bias.n_rows, 1);
  EXPECT_EQ(layer.q_bias.n_cols, 64);
  EXPECT_EQ(layer.k_bias.data, file.find_tensor("blk.0.attn_k.bias")->matrix.data);
  EXPECT_EQ(layer.v_bias.data, file.find_tensor("blk.0.attn_v.bias")->matrix.data);
}

TEST(TensorTable, AMissingTensorIsNamedWithTheShapeItShouldHave) {
  GgufContent content = tiny_model();
  std::erase_if(content.tensors, [](const TensorContent& tensor) { return tensor.name == "blk.1.ffn_up.weight"; });
  EXPECT_EQ(error_of(content), "tiny: tensor 'blk.1.ffn_up.weight': is missing, must be [64, 96]");
  content = tiny_model({.family = "qwen2"});
  std::erase_if(content.tensors, [](const TensorContent& tensor) { return tensor.name == "blk.0.attn_v.bias"; });
  EXPECT_EQ(error_of(content), "tiny: tensor 'blk.0.attn_v.bias': is missing, must be [32]");
}

TEST(TensorTable, AWrongShapeIsNamedWithBothShapes) {
  GgufContent content = tiny_model();
  content.tensor("blk.0.ffn_down.weight").dims = {64, 96};
  EXPECT_EQ(error_of(content), "tiny: tensor 'blk.0.ffn_down.weight': is [64, 96], must be [96, 64]");
  content = tiny_model();
  content.tensor("blk.0.attn_norm.weight").dims = {32, 2};
  EXPECT_EQ(error_of(content), "tiny: tensor 'blk.0.attn_norm.weight': is [32, 2], must be [64]");
  content = tiny_model();
  content.set("llama.vocab_size", 400u);
  EXPECT_EQ(error_of(content), "tiny: tensor 'token_embd.weight': is [64, 320], must be [64, 400]");
}

TEST(TensorTable, ATensorThatNothingWouldReadIsRefused) {
  GgufContent content = tiny_model();
  content.tensor("blk.0.attn_norm.weight").name = "blk.0.attn_norm_2.weight";
  content.tensors.push_back(tiny_model().tensor("blk.0.attn_norm.weight"));
  EXPECT_EQ(
      error_of(content),
      "tiny: tensor 'blk.0.attn_norm_2.weight': is none that Ferry uses in a model of family llama with 2 layers");
  content = tiny_model();
  content.set("llama.block_count", 1u);
  EXPECT_EQ(error_of(content),
            "tiny: tensor 'blk.1.attn_norm.weight': is none that Ferry uses in a model of family llama with 1 layers");
}

}  // namespace
}  // namespace ferry
