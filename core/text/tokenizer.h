#pragma once
// Text to tokens and back, exactly as the model was trained: byte-level BPE as GGUF files name it (model "gpt2").

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/bpe.h"
#include "core/text/byte_trie.h"
#include "core/text/pretokenizer.h"
#include "core/text/tokenizer_data.h"
#include "core/text/vocabulary.h"

namespace ferry {

// What the name of a control token in a text is: that token, or text like any other. Plain is for what users typed.
// (Tokens that the vocabulary's makers added to the language, of kind user_defined, are found in both.)
enum class SpecialTokens { plain, parsed };

struct TextPiece {
  std::string text;
  SpecialTokens special = SpecialTokens::plain;
  bool operator==(const TextPiece&) const = default;
};

// All methods are const and may be called from several threads.
class Tokenizer {
 public:
  // An unknown model or pre-tokenizer and a damaged vocabulary are Errors.
  explicit Tokenizer(const TokenizerData& data);

  // The tokens of a text, nothing added. Text that is not UTF-8 is an Error that says where; those who take text from
  // others ask first_invalid_utf8() before. Bytes for which the vocabulary has no token are left out.
  std::vector<int> encode(std::string_view text, SpecialTokens special) const;

  // The same for a text in pieces; words go on over the borders of pieces.
  std::vector<int> encode(std::span<const TextPiece> pieces) const;

  // A prompt for the model: with the begin token before it, if the model file asks for that and it is not there yet.
  std::vector<int> encode_prompt(std::string_view text, SpecialTokens special) const;

  // What a token stands for; for a control token, its name. An id outside the vocabulary is an Error.
  std::string_view bytes_of(int token) const { return vocabulary_.bytes_of(token); }

  // The text of tokens, without control tokens; bytes that are not UTF-8 become U+FFFD.
  std::string decode(std::span<const int> tokens) const;

  // The token with this name (special) or these bytes (any other).
  std::optional<int> token_of(std::string_view text) const;

  // Not part of the text: control tokens, the unknown token, and unused ids.
  bool is_control(int token) const;

  // Generation ends here: the file's end and end-of-turn tokens, and those that other models' chats end with.
  bool is_end(int token) const;

  int n_vocab() const { return vocabulary_.n_tokens(); }
  std::optional<int> begin() const { return begin_; }

 private:
  void append_plain(std::string_view text, std::vector<int>& ids) const;

  Vocabulary vocabulary_;
  PreTokenizer pretokenizer_;
  BytePairEncoder bpe_;
  ByteTrie added_tokens_;    // found in every text
  ByteTrie special_tokens_;  // those and the control tokens
  std::optional<int> begin_;
  bool add_begin_ = false;
  std::vector<int> ends_;  // sorted
};

}  // namespace ferry
