#pragma once
// The text side of a model: prompts to tokens.

#include <string>
#include <vector>

#include "core/model/model_file.h"
#include "core/text/chat.h"
#include "core/text/tokenizer.h"
#include "launch/io/prompts.h"

namespace ferry {

class TextModel {
 public:
  // chat_format: "auto", or a name of ChatFormat.
  TextModel(const ModelFile& file, const std::string& chat_format);

  const Tokenizer& tokenizer() const { return tokenizer_; }
  std::vector<int> end_tokens() const;

  // The tokens of a prompt. Error when it cannot be one: messages for a model without a known chat format, no UTF-8.
  std::vector<int> tokens_of(const Prompt& prompt) const;

 private:
  const TokenizerData data_;
  const std::string chat_format_;
  Tokenizer tokenizer_;
};

}  // namespace ferry
