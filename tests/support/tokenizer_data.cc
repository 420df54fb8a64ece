#include "tests/support/tokenizer_data.h"

#include <algorithm>

#include "core/text/byte_alphabet.h"

namespace ferry {

TokenizerData byte_level_data(const std::vector<std::string>& merges) {
  TokenizerData data;
  data.model = "gpt2";
  data.pre = "gpt-2";
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    add_token(data, spelled({&c, 1}), TokenKind::normal);
  }
  for (const std::string& merge : merges) {
    std::string merged = merge;
    merged.erase(merged.find(' '), 1);
    const bool is_new = std::find(data.tokens.begin(), data.tokens.end(), merged) == data.tokens.end();
    if (is_new) add_token(data, merged, TokenKind::normal);
  }
  data.merges = merges;
  return data;
}

int add_token(TokenizerData& data, std::string_view text, TokenKind kind) {
  data.tokens.emplace_back(text);
  data.kinds.push_back(kind);
  return static_cast<int>(data.tokens.size()) - 1;
}

}  // namespace ferry
