#pragma once
// How a chat format writes a conversation, as data: one renderer (chat.h) serves all formats.

#include <optional>
#include <string>

namespace ferry {

enum class Content { as_is, trimmed };
enum class SystemPlace { own_turn, first_user_turn, last_user_turn, refused };
enum class TurnOrder { any, user_and_assistant_alternate };

struct Turn {
  std::string open;
  std::string close;
  Content content = Content::as_is;
};

struct ChatStyle {
  std::string begin;  // before the conversation
  Turn system;
  Turn user;
  Turn assistant;
  std::string answer;  // opens the turn that the model is to write
  SystemPlace system_place = SystemPlace::own_turn;
  TurnOrder order = TurnOrder::any;
  std::string system_preamble;                // in the system turn, before what the conversation says there
  std::optional<std::string> default_system;  // said there when the conversation has no system message
};

}  // namespace ferry
