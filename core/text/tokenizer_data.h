#pragma once
// What a model file says about its text: the vocabulary and its settings, as plain values.

#include <cstdint>
#include <string>
#include <vector>

namespace ferry {

enum class TokenKind : uint8_t { normal, unknown, control, user_defined, unused, byte };

struct TokenizerData {
  std::string model;                // "gpt2": byte-level BPE
  std::string pre;                  // pre-tokenizer: "smollm", "llama-bpe", "qwen2", "default"
  std::vector<std::string> tokens;  // by id; bytes in the byte-level alphabet of GPT-2, control tokens as they are
  std::vector<TokenKind> kinds;     // by id
  std::vector<std::string> merges;  // "a b", best first
  int begin = -1;                   // -1: none
  int end = -1;
  int end_of_turn = -1;
  bool add_begin = false;
  std::string chat_template;  // Jinja text; empty: none
};

}  // namespace ferry
