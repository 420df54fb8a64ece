#pragma once
// Cuts text into the words that byte-pair encoding works on, by the regular expressions that a model was trained with.
//
// A model file only names them. The patterns behind the names are those of the models' own tokenizers: GPT-2's
// (github.com/openai/gpt-2, encoder.py), Llama 3's (github.com/meta-llama/llama3, tokenizer.py), Qwen2's and SmolLM's
// (their tokenizer.json); "default" is what llama.cpp, where the names come from, does with a file that says nothing
// better. Qwen2's tokenizer.json also normalizes text (NFC); a model file does not say so, and it is not done.

#include <string_view>
#include <vector>

#include "core/text/regex.h"

namespace ferry {

// What is done with a word that is itself a token: merged from its bytes like any other, or taken as it is.
enum class WholeWords { merged, taken };

class PreTokenizer {
 public:
  // An unknown name is an Error that lists the known ones.
  explicit PreTokenizer(std::string_view name);

  WholeWords whole_words() const { return whole_words_; }

  // The words of a text, which must be valid UTF-8. Together they are the text.
  std::vector<std::string_view> words_of(std::string_view text) const;

 private:
  WholeWords whole_words_ = WholeWords::merged;
  std::vector<Regex> patterns_;  // each cuts finer what the one before it left
};

}  // namespace ferry
