#include "tests/support/tiny_model.h"

#include <cmath>
#include <random>

#include "core/base/error.h"
#include "tests/support/random_blocks.h"

namespace ferry {
namespace {

constexpr const char* kChatTemplate =
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

class TensorMaker {
 public:
  TensorMaker(GgufContent& content, uint64_t seed) : content_(content), random_(seed) {}

  void matrix(const std::string& name, TensorType type, int n_rows, int n_cols) {
    const float deviation =
        1 / std::sqrt(static_cast<float>(n_cols));  // what a layer gives is as large as what it gets
    const auto n_values = static_cast<size_t>(n_rows) * static_cast<size_t>(n_cols);
    content_.tensors.push_back({.name = name,
                                .dims = {static_cast<uint64_t>(n_cols), static_cast<uint64_t>(n_rows)},
                                .type = static_cast<uint32_t>(type),
                                .data = random_blocks(type, n_values, deviation, random_)});
  }
  void norm(const std::string& name, int n) { vector(name, n, 1); }
  void bias(const std::string& name, int n) { vector(name, n, 0); }

 private:
  void vector(const std::string& name, int n, float mean) {
    std::normal_distribution<float> normal(mean, 0.1f);
    std::vector<float> values(static_cast<size_t>(n));
    for (float& value : values) value = normal(random_);
    const auto bytes = std::as_bytes(std::span(values));
    content_.tensors.push_back({.name = name,
                                .dims = {static_cast<uint64_t>(n)},
                                .type = static_cast<uint32_t>(TensorType::f32),
                                .data = {bytes.begin(), bytes.end()}});
  }

  GgufContent& content_;
  std::mt19937_64 random_;
};

void add_layer(TensorMaker& make, const TinyModel& model, int layer) {
  const auto name = [layer](const char* part) { return str("blk.", layer, ".", part); };
  const int q_width = model.n_heads * model.head_dim, kv_width = model.n_kv_heads * model.head_dim;
  make.norm(name("attn_norm.weight"), model.width);
  make.matrix(name("attn_q.weight"), model.type, q_width, model.width);
  make.matrix(name("attn_k.weight"), model.type, kv_width, model.width);
  make.matrix(name("attn_v.weight"), model.type, kv_width, model.width);
  if (model.family == "qwen2") {
    make.bias(name("attn_q.bias"), q_width);
    make.bias(name("attn_k.bias"), kv_width);
    make.bias(name("attn_v.bias"), kv_width);
  }
  if (model.family == "qwen3") {
    make.norm(name("attn_q_norm.weight"), model.head_dim);
    make.norm(name("attn_k_norm.weight"), model.head_dim);
  }
  make.matrix(name("attn_output.weight"), model.type, model.width, q_width);
  make.norm(name("ffn_norm.weight"), model.width);
  make.matrix(name("ffn_gate.weight"), model.type, model.ffn_width, model.width);
  make.matrix(name("ffn_up.weight"), model.type, model.ffn_width, model.width);
  make.matrix(name("ffn_down.weight"), model.type, model.width, model.ffn_width);
}

void set_sizes(GgufContent& content, const TinyModel& model) {
  const auto set = [&](const char* key, int value) {
    content.set(model.family + "." + key, static_cast<uint32_t>(value));
  };
  content.set("general.architecture", model.family);
  content.set("general.name", "tiny " + model.family);
  set("block_count", model.n_layers);
  set("context_length", model.max_context);
  set("embedding_length", model.width);
  set("feed_forward_length", model.ffn_width);
  set("attention.head_count", model.n_heads);
  set("attention.head_count_kv", model.n_kv_heads);
  set("attention.key_length", model.head_dim);
  set("attention.value_length", model.head_dim);
  set("rope.dimension_count", model.head_dim);
  set("vocab_size", model.n_vocab);
  content.set(model.family + ".rope.freq_base", 10000.0f);
  content.set(model.family + ".attention.layer_norm_rms_epsilon", 1e-5f);
}

// GPT-2's alphabet: bytes that print stand for themselves, the others for what follows U+0100, in order.
std::vector<std::string> byte_alphabet() {
  std::vector<std::string> letters;
  int next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool prints = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    const int point = prints ? byte : next++;
    std::string utf8;
    if (point >= 0x80) utf8 += static_cast<char>(0xc0 | point >> 6);
    utf8 += static_cast<char>(point < 0x80 ? point : 0x80 | (point & 0x3f));
    letters.push_back(utf8);
  }
  return letters;
}

void set_tokenizer(GgufContent& content, int n_vocab) {
  constexpr int32_t kNormal = 1, kControl = 3;
  std::vector<std::string> tokens = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
  std::vector<int32_t> kinds(tokens.size(), kControl);
  for (const std::string& letter : byte_alphabet()) tokens.push_back(letter);
  std::vector<std::string> merges;
  for (int pair = 0; static_cast<int>(tokens.size()) < n_vocab && pair < 26 * 26; ++pair) {
    const std::string left(1, static_cast<char>('a' + pair / 26)), right(1, static_cast<char>('a' + pair % 26));
    tokens.push_back(left + right);
    merges.push_back(left + " " + right);
  }
  while (static_cast<int>(tokens.size()) < n_vocab) tokens.push_back(str("<|unused_", tokens.size(), "|>"));
  kinds.resize(tokens.size(), kNormal);
  content.set("tokenizer.ggml.model", "gpt2");
  content.set("tokenizer.ggml.pre", "smollm");
  content.set("tokenizer.ggml.tokens", tokens);
  content.set("tokenizer.ggml.token_type", kinds);
  content.set("tokenizer.ggml.merges", merges);
  content.set("tokenizer.ggml.bos_token_id", static_cast<uint32_t>(kTinyBegin));
  content.set("tokenizer.ggml.eos_token_id", static_cast<uint32_t>(kTinyEnd));
  content.set("tokenizer.ggml.add_bos_token", false);
  content.set("tokenizer.chat_template", kChatTemplate);
}

}  // namespace

GgufContent tiny_model(const TinyModel& model) {
  GgufContent content;
  set_sizes(content, model);
  set_tokenizer(content, model.n_vocab);
  TensorMaker make(content, model.seed);
  make.matrix("token_embd.weight", model.embedding_type, model.n_vocab, model.width);
  for (int layer = 0; layer < model.n_layers; ++layer) add_layer(make, model, layer);
  make.norm("output_norm.weight", model.width);
  if (model.output == OutputMatrix::own) make.matrix("output.weight", model.embedding_type, model.n_vocab, model.width);
  return content;
}

}  // namespace ferry
