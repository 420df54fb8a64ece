#pragma once
// Conversations to the text that a model was trained to continue.
//
// Model files carry a chat template, a program in Jinja. Ferry does not run it: it recognises which of a few formats
// the template writes, and takes from its text what files vary (a default system message, spaces, the begin token).

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/chat_style.h"
#include "core/text/tokenizer.h"
#include "core/text/tokenizer_data.h"

namespace ferry {

struct Message {
  std::string role;  // system, user, assistant
  std::string content;
  bool operator==(const Message&) const = default;
};

// What follows the conversation: the opening of the assistant's turn, or nothing.
enum class GenerationPrompt { add, none };

class ChatFormat {
 public:
  // The format of the file's own template. None, or one that is not recognised, is an Error that says how to choose.
  explicit ChatFormat(const TokenizerData& data);

  // The format of this name: chatml, llama3, mistral or gemma. Any other is an Error that lists them.
  ChatFormat(const TokenizerData& data, std::string_view name);

  std::string_view name() const { return name_; }

  // The conversation as text; the format's own marks are to be parsed, what the messages say is plain. An empty
  // conversation, an unknown role, or an order of turns that the model does not know is an Error.
  std::vector<TextPiece> render(std::span<const Message> messages, GenerationPrompt prompt) const;

 private:
  const Turn& turn_of(std::string_view role) const;

  std::string name_;
  ChatStyle style_;
};

}  // namespace ferry
