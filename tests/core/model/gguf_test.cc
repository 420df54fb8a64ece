#include "core/model/gguf.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "core/base/error.h"

namespace ferry {
namespace {

TEST(Gguf, ReadsTheDemoModel) {
  const char* asked = std::getenv("FERRY_TEST_MODEL");
  const std::string path = asked ? asked : FERRY_SOURCE_DIR "/build/models/smollm2-135m-instruct-q4_1.gguf";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no model at " << path;
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

}  // namespace
}  // namespace ferry
