#include "core/text/vocabulary.h"

#include "core/base/error.h"
#include "core/text/byte_alphabet.h"

namespace ferry {
namespace {

void refuse_damaged(const TokenizerData& data) {
  if (data.tokens.empty()) throw Error("the model file has no vocabulary (tokenizer.ggml.tokens)");
  if (data.kinds.size() != data.tokens.size()) {
    throw Error(str("the model file's vocabulary is damaged: ", data.tokens.size(), " tokens, but ", data.kinds.size(),
                    " token types"));
  }
  std::unordered_map<std::string_view, size_t> ids;
  for (size_t id = 0; id < data.tokens.size(); ++id) {
    if (data.tokens[id].empty()) continue;  // padding of some vocabularies; never produced
    const auto [earlier, is_new] = ids.emplace(data.tokens[id], id);
    if (!is_new) {
      throw Error(str("the model file's vocabulary is damaged: tokens ", earlier->second, " and ", id, " are both \"",
                      data.tokens[id], '"'));
    }
  }
}

// Plain text must never become a control token.
bool is_mergeable(TokenKind kind) { return kind != TokenKind::control && kind != TokenKind::unknown; }

}  // namespace

Vocabulary::Vocabulary(const TokenizerData& data) : kinds_(data.kinds) {
  refuse_damaged(data);
  std::vector<int> words;
  begin_.push_back(0);
  for (int id = 0; id < n_tokens(); ++id) {
    const std::string& text = data.tokens[static_cast<size_t>(id)];
    const std::optional<std::string> spelled_bytes = bytes_spelled(text);
    // Tokens that people added are written as they are, and so are normal ones outside the alphabet.
    const bool is_spelled = kind_of(id) == TokenKind::normal && spelled_bytes;
    const std::string& bytes = is_spelled ? *spelled_bytes : text;
    if (is_mergeable(kind_of(id)) && !bytes.empty() && bytes == spelled_bytes) words.push_back(id);
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    begin_.push_back(bytes_.size());
  }
  words_.reserve(words.size());
  for (const int id : words) words_.emplace(bytes_of(id), id);
}

size_t Vocabulary::index_of(int token) const {
  if (token >= 0 && token < n_tokens()) return static_cast<size_t>(token);
  throw Error(str("token ", token, " is not in the vocabulary of ", n_tokens(), " tokens"));
}

std::string_view Vocabulary::bytes_of(int token) const {
  const size_t index = index_of(token);
  return {bytes_.data() + begin_[index], begin_[index + 1] - begin_[index]};
}

TokenKind Vocabulary::kind_of(int token) const { return kinds_[index_of(token)]; }

std::optional<int> Vocabulary::word(std::string_view bytes) const {
  const auto found = words_.find(bytes);
  if (found == words_.end()) return std::nullopt;
  return found->second;
}

}  // namespace ferry
