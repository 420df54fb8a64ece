#include "core/model/gguf_text.h"

#include <algorithm>
#include <array>
#include <climits>
#include <optional>

#include "core/base/error.h"
#include "core/base/quoted.h"

namespace ferry {
namespace {

constexpr int64_t kLastTokenType = 6;  // tokenizer.ggml.token_type counts from normal = 1 on; 0 says nothing

template <class... Parts>
[[noreturn]] void fail(const GgufFile& file, std::string_view key, const Parts&... parts) {
  throw Error(str(file.name(), ": metadata ", quoted(key), ": ", parts...));
}

std::vector<std::string> strings_of(const std::optional<std::vector<std::string_view>>& views) {
  if (!views) return {};
  return {views->begin(), views->end()};
}

std::vector<TokenKind> kinds_of(const GgufFile& file, size_t n_tokens) {
  constexpr std::string_view kKey = "tokenizer.ggml.token_type";
  std::vector<TokenKind> kinds(n_tokens, TokenKind::normal);
  const auto types = file.find<std::vector<int64_t>>(kKey);
  if (!types) return kinds;
  if (types->size() != n_tokens) fail(file, kKey, "has ", types->size(), " items, but there are ", n_tokens, " tokens");
  for (size_t i = 0; i < n_tokens; ++i) {
    const int64_t type = (*types)[i];
    if (type < 0 || type > kLastTokenType)
      fail(file, kKey, "item ", i, " is ", type, ", must be 0 to ", kLastTokenType);
    if (type > 0) kinds[i] = static_cast<TokenKind>(type - 1);
  }
  return kinds;
}

int id_of(const GgufFile& file, std::string_view key, size_t n_tokens) {
  const auto id = file.find<int64_t>(key);
  if (!id) return -1;
  if (*id < 0 || *id >= static_cast<int64_t>(n_tokens)) fail(file, key, "is ", *id, ", must be 0 to ", n_tokens - 1);
  return static_cast<int>(*id);
}

// Files made before the format had a key for it: the control token that ends a turn is known by its name.
int end_of_turn_by_name(const TokenizerData& data) {
  constexpr std::array<std::string_view, 4> kNames = {"<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>"};
  for (size_t id = 0; id < data.tokens.size(); ++id) {
    if (data.kinds[id] == TokenKind::control && std::ranges::count(kNames, data.tokens[id]) > 0)
      return static_cast<int>(id);
  }
  return -1;
}

}  // namespace

TokenizerData tokenizer_data_of(const GgufFile& file) {
  TokenizerData data;
  data.model = file.value<std::string_view>("tokenizer.ggml.model");
  data.pre = file.find<std::string_view>("tokenizer.ggml.pre").value_or("default");
  data.tokens = strings_of(file.value<std::vector<std::string_view>>("tokenizer.ggml.tokens"));
  const size_t n_tokens = data.tokens.size();
  if (n_tokens < 1 || n_tokens > INT_MAX)
    fail(file, "tokenizer.ggml.tokens", "has ", n_tokens, " items, must be 1 to ", INT_MAX);
  data.kinds = kinds_of(file, n_tokens);
  data.merges = strings_of(file.find<std::vector<std::string_view>>("tokenizer.ggml.merges"));
  data.begin = id_of(file, "tokenizer.ggml.bos_token_id", n_tokens);
  data.end = id_of(file, "tokenizer.ggml.eos_token_id", n_tokens);
  data.end_of_turn = id_of(file, "tokenizer.ggml.eot_token_id", n_tokens);
  if (data.end_of_turn < 0) data.end_of_turn = end_of_turn_by_name(data);
  // Llama 3's files are older than this key; theirs begin every text with it.
  data.add_begin = file.find<bool>("tokenizer.ggml.add_bos_token").value_or(data.pre == "llama-bpe");
  data.chat_template = file.find<std::string_view>("tokenizer.chat_template").value_or("");
  if (data.add_begin && data.begin < 0)
    fail(file, "tokenizer.ggml.bos_token_id", "is missing, but texts begin with it");
  return data;
}

}  // namespace ferry
