#pragma once
// Tokens by id, as bytes, and the way back from bytes to the token of a word.

#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/text/tokenizer_data.h"

namespace ferry {

class Vocabulary {
 public:
  explicit Vocabulary(const TokenizerData& data);

  int n_tokens() const { return static_cast<int>(kinds_.size()); }

  // What the token stands for in a text; for a control token, its name. An id outside the vocabulary is an Error.
  std::string_view bytes_of(int token) const;
  TokenKind kind_of(int token) const;

  // The token that plain text of exactly these bytes may become.
  std::optional<int> word(std::string_view bytes) const;

 private:
  size_t index_of(int token) const;

  std::vector<char> bytes_;    // of all tokens, one after the other
  std::vector<size_t> begin_;  // [n_tokens + 1], into bytes_
  std::vector<TokenKind> kinds_;
  std::unordered_map<std::string_view, int> words_;  // views of bytes_
};

}  // namespace ferry
