#include "core/model/gguf.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/demo_model.h"
#include "tests/support/tiny_model.h"

namespace ferry {
namespace {

TEST(Gguf, ReadsTheDemoModel) {
  FERRY_DEMO_MODEL_OR_SKIP(path);
  const GgufFile file(path);
  EXPECT_EQ(file.value<std::string_view>("general.architecture"), "llama");
  EXPECT_EQ(file.value<int64_t>("llama.block_count"), 30);
  EXPECT_EQ(file.value<double>("llama.rope.freq_base"), 100000);
  EXPECT_FALSE(file.value<bool>("tokenizer.ggml.add_bos_token"));
  const auto tokens = file.value<std::vector<std::string_view>>("tokenizer.ggml.tokens");
  EXPECT_EQ(tokens.size(), 49152u);
  EXPECT_EQ(tokens[1], "<|im_start|>");
  EXPECT_EQ(file.value<std::vector<int64_t>>("tokenizer.ggml.token_type")[0], 3);
  EXPECT_EQ(file.tensors().size(), 272u);
  const GgufTensor* down = file.find_tensor("blk.0.ffn_down.weight");
  ASSERT_NE(down, nullptr);
  EXPECT_EQ(down->matrix.type, TensorType::q4_1);
  EXPECT_EQ(down->matrix.n_rows, 576);
  EXPECT_EQ(down->matrix.n_cols, 1536);
  EXPECT_EQ(down->matrix.row_bytes, 1536u / 32 * 20);
}

TEST(Gguf, AWrittenModelIsReadBack) {
  for (const uint32_t version : {2u, 3u}) {
    GgufContent content = tiny_model({.width = 256, .head_dim = 64, .ffn_width = 256, .type = TensorType::q6_k});
    content.version = version;
    content.alignment = 64;
    content.set("general.alignment", uint32_t{64});
    const auto bytes = gguf_bytes(content);
    const GgufFile file("tiny", bytes);
    EXPECT_EQ(file.value<std::string_view>("general.architecture"), "llama");
    ASSERT_EQ(file.tensors().size(), content.tensors.size());
    for (const TensorContent& written : content.tensors) {
      const GgufTensor* read = file.find_tensor(written.name);
      ASSERT_NE(read, nullptr);
      EXPECT_EQ(static_cast<uint32_t>(read->matrix.type), written.type);
      ASSERT_EQ(read->n_bytes(), written.data.size());
      EXPECT_TRUE(std::equal(written.data.begin(), written.data.end(), read->matrix.data));
    }
  }
}

}  // namespace
}  // namespace ferry
