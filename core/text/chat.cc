#include "core/text/chat.h"

#include <optional>
#include <utility>

#include "core/base/error.h"
#include "core/text/chat_formats.h"
#include "core/text/unicode/utf8.h"

namespace ferry {
namespace {

std::string how_to_choose() {
  return str("choose with --chat-format NAME, or chat_format: NAME in the YAML; known are ", chat_format_names());
}

std::string format_written_in(const TokenizerData& data) {
  if (data.chat_template.empty()) throw Error("the model file has no chat template; " + how_to_choose());
  const std::optional<std::string_view> name = recognised_chat_format(data.chat_template);
  if (!name) throw Error("the model file's chat template is not of a format that is recognised; " + how_to_choose());
  return std::string(*name);
}

// A conversation as it is written: the format's marks and what was said.
class Transcript {
 public:
  void mark(std::string_view text) { add(text, SpecialTokens::parsed); }
  void say(std::string_view text, Content content) {
    add(content == Content::trimmed ? trimmed(text) : text, SpecialTokens::plain);
  }
  std::vector<TextPiece> take() { return std::move(pieces_); }

 private:
  void add(std::string_view text, SpecialTokens special) {
    if (text.empty()) return;
    if (pieces_.empty() || pieces_.back().special != special) pieces_.push_back({.text = "", .special = special});
    pieces_.back().text += text;
  }
  std::vector<TextPiece> pieces_;
};

bool is_known_role(std::string_view role) { return role == "system" || role == "user" || role == "assistant"; }

void refuse_unknown_roles(std::span<const Message> messages) {
  if (messages.empty()) throw Error("the conversation has no messages");
  for (size_t i = 0; i < messages.size(); ++i) {
    if (is_known_role(messages[i].role)) continue;
    throw Error(str("message ", i, " has the role \"", messages[i].role, "\"; roles are system, user and assistant"));
  }
}

void refuse_wrong_order(std::span<const Message> turns, std::string_view format) {
  if (turns.empty()) throw Error(str("the chat format ", format, " has no conversation without a message of the user"));
  for (size_t i = 0; i < turns.size(); ++i) {
    const std::string_view expected = i % 2 == 0 ? "user" : "assistant";
    if (turns[i].role == expected) continue;
    throw Error(str("in the chat format ", format, " user and assistant take turns, after an optional system message; ",
                    "turn ", i, " is the ", turns[i].role, "'s, not the ", expected, "'s"));
  }
}

size_t last_user_turn(std::span<const Message> turns) {
  size_t last = 0;
  for (size_t i = 0; i < turns.size(); ++i) {
    if (turns[i].role == "user") last = i;
  }
  return last;
}

}  // namespace

ChatFormat::ChatFormat(const TokenizerData& data) : ChatFormat(data, format_written_in(data)) {}

ChatFormat::ChatFormat(const TokenizerData& data, std::string_view name) : name_(name) {
  std::optional<ChatStyle> style = chat_style_of(name, data);
  if (!style) throw Error(str("there is no chat format \"", name, "\"; ", how_to_choose()));
  style_ = std::move(*style);
}

std::vector<TextPiece> ChatFormat::render(std::span<const Message> messages, GenerationPrompt prompt) const {
  refuse_unknown_roles(messages);
  const bool has_system = messages[0].role == "system";
  const std::span<const Message> turns = messages.subspan(has_system ? 1 : 0);
  std::optional<std::string> system = style_.default_system;
  if (has_system) system = messages[0].content;
  if (system && style_.system_place == SystemPlace::refused) throw Error("the model knows no system messages");
  if (style_.order == TurnOrder::user_and_assistant_alternate) refuse_wrong_order(turns, name_);

  Transcript out;
  out.mark(style_.begin);
  if (system && style_.system_place == SystemPlace::own_turn) {
    out.mark(style_.system.open + style_.system_preamble);
    out.say(*system, style_.system.content);
    out.mark(style_.system.close);
    system.reset();
  }
  const size_t system_turn = style_.system_place == SystemPlace::last_user_turn ? last_user_turn(turns) : 0;
  for (size_t i = 0; i < turns.size(); ++i) {
    const Turn& turn = turn_of(turns[i].role);
    out.mark(turn.open);
    if (system && i == system_turn) out.say(*system + "\n\n", Content::as_is);
    out.say(turns[i].content, turn.content);
    out.mark(turn.close);
  }
  if (prompt == GenerationPrompt::add) out.mark(style_.answer);
  return out.take();
}

const Turn& ChatFormat::turn_of(std::string_view role) const {
  if (role == "system") return style_.system;
  return role == "user" ? style_.user : style_.assistant;
}

}  // namespace ferry
