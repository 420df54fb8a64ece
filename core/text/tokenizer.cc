#include "core/text/tokenizer.h"

#include <algorithm>
#include <array>
#include <climits>

#include "core/base/error.h"
#include "core/text/unicode/utf8.h"

namespace ferry {
namespace {

// Names of control tokens with which models end a turn or a text. Files name one or two of them, chats produce others.
constexpr std::array<std::string_view, 12> kEndNames = {
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<|eot|>",
    "<|return|>",
    "<end_of_turn>",
    "</s>",
    "<|END_OF_TURN_TOKEN|>",
    "<｜end▁of▁sentence｜>",
};

Vocabulary vocabulary_of(const TokenizerData& data) {
  if (data.model != "gpt2") {
    throw Error(str("the model file's tokenizer \"", data.model,
                    "\" (tokenizer.ggml.model) is not known; known is gpt2 (byte-level BPE)"));
  }
  return Vocabulary(data);
}

std::optional<int> named_token(const Vocabulary& vocabulary, std::string_view key, int token) {
  if (token < 0) return std::nullopt;
  if (token < vocabulary.n_tokens()) return token;
  throw Error(str("the model file is damaged: its ", key, " token is ", token, ", its vocabulary has ",
                  vocabulary.n_tokens(), " tokens"));
}

void refuse_invalid(std::string_view text) {
  if (const std::optional<size_t> at = first_invalid_utf8(text)) {
    throw Error(str("the text is not valid UTF-8 at byte ", *at));
  }
  // Words are indexed by int.
  if (text.size() > INT_MAX) throw Error(str("the text is too long: ", text.size(), " bytes, at most ", INT_MAX));
}

}  // namespace

Tokenizer::Tokenizer(const TokenizerData& data)
    : vocabulary_(vocabulary_of(data)),
      pretokenizer_(data.pre),
      bpe_(vocabulary_, data.merges),
      begin_(named_token(vocabulary_, "begin", data.begin)),
      add_begin_(data.add_begin) {
  if (add_begin_ && !begin_) throw Error("the model file asks for a begin token before each prompt and names none");
  for (int token = 0; token < n_vocab(); ++token) {
    const TokenKind kind = vocabulary_.kind_of(token);
    const std::string_view name = bytes_of(token);
    const bool is_added = kind == TokenKind::user_defined;
    const bool is_special = is_added || kind == TokenKind::control || kind == TokenKind::unknown;
    if (!is_special || name.empty()) continue;
    if (first_invalid_utf8(name)) throw Error(str("the model file is damaged: special token ", token, " is not UTF-8"));
    if (is_added) added_tokens_.add(name, token);
    special_tokens_.add(name, token);
    if (std::find(kEndNames.begin(), kEndNames.end(), name) != kEndNames.end()) ends_.push_back(token);
  }
  for (const int end : {data.end, data.end_of_turn}) {
    if (const auto token = named_token(vocabulary_, "end", end)) ends_.push_back(*token);
  }
  std::sort(ends_.begin(), ends_.end());
}

std::vector<int> Tokenizer::encode(std::string_view text, SpecialTokens special) const {
  const TextPiece piece{.text = std::string(text), .special = special};
  return encode({&piece, 1});
}

std::vector<int> Tokenizer::encode(std::span<const TextPiece> pieces) const {
  std::vector<int> ids;
  std::string plain;  // since the last special token
  for (const TextPiece& piece : pieces) {
    refuse_invalid(piece.text);
    const ByteTrie& specials = piece.special == SpecialTokens::parsed ? special_tokens_ : added_tokens_;
    std::string_view rest = piece.text;
    while (!rest.empty()) {
      const std::optional<ByteTrie::Match> special = specials.longest_match(rest);
      if (special) {
        append_plain(plain, ids);
        plain.clear();
        ids.push_back(special->value);
      } else {
        plain += rest[0];
      }
      rest.remove_prefix(special ? special->n_bytes : 1);
    }
  }
  append_plain(plain, ids);
  return ids;
}

void Tokenizer::append_plain(std::string_view text, std::vector<int>& ids) const {
  BytePairEncoder::Scratch scratch;
  for (const std::string_view word : pretokenizer_.words_of(text)) {
    std::optional<int> whole;
    if (pretokenizer_.whole_words() == WholeWords::taken) whole = vocabulary_.word(word);
    if (whole) {
      ids.push_back(*whole);
    } else {
      bpe_.encode(word, scratch, ids);
    }
  }
}

std::vector<int> Tokenizer::encode_prompt(std::string_view text, SpecialTokens special) const {
  std::vector<int> ids = encode(text, special);
  const bool has_begin = !ids.empty() && ids.front() == begin_;
  if (add_begin_ && !has_begin) ids.insert(ids.begin(), *begin_);
  return ids;
}

std::string Tokenizer::decode(std::span<const int> tokens) const {
  std::string bytes;
  for (const int token : tokens) {
    if (!is_control(token)) bytes += bytes_of(token);
  }
  return with_replacements(bytes);
}

std::optional<int> Tokenizer::token_of(std::string_view text) const {
  const std::optional<ByteTrie::Match> special = special_tokens_.longest_match(text);
  if (special && special->n_bytes == text.size()) return special->value;
  return vocabulary_.word(text);
}

bool Tokenizer::is_control(int token) const {
  const TokenKind kind = vocabulary_.kind_of(token);
  return kind == TokenKind::control || kind == TokenKind::unknown || kind == TokenKind::unused;
}

bool Tokenizer::is_end(int token) const { return std::binary_search(ends_.begin(), ends_.end(), token); }

}  // namespace ferry
