#include "launch/front/text_model.h"

#include "core/base/error.h"
#include "core/model/gguf_text.h"

namespace ferry {

TextModel::TextModel(const ModelFile& file, const std::string& chat_format)
    : data_(tokenizer_data_of(file.gguf)), chat_format_(chat_format), tokenizer_(data_) {
  if (tokenizer_.n_vocab() > file.config.n_vocab) {
    throw Error(str(file.gguf.name(), ": ", tokenizer_.n_vocab(), " tokens for a model of ", file.config.n_vocab));
  }
  if (chat_format != "auto") ChatFormat(data_, chat_format);  // an unknown name is refused at start
}

std::vector<int> TextModel::end_tokens() const {
  std::vector<int> ends;
  for (int token = 0; token < tokenizer_.n_vocab(); ++token) {
    if (tokenizer_.is_end(token)) ends.push_back(token);
  }
  return ends;
}

std::vector<int> TextModel::tokens_of(const Prompt& prompt) const {
  if (const auto* ids = std::get_if<std::vector<int>>(&prompt)) return *ids;
  if (const auto* text = std::get_if<std::string>(&prompt)) {
    return tokenizer_.encode_prompt(*text, SpecialTokens::parsed);
  }
  const ChatFormat format = chat_format_ == "auto" ? ChatFormat(data_) : ChatFormat(data_, chat_format_);
  const auto& messages = std::get<std::vector<Message>>(prompt);
  return tokenizer_.encode(format.render(messages, GenerationPrompt::add));
}

}  // namespace ferry
