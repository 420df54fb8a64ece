#include "core/text/chat_formats.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/text/jinja_text.h"

namespace ferry {
namespace {

// What a style is made from. The text is empty when the format was chosen by name and the file's template is another.
struct Source {
  std::string_view text;
  std::string end;  // name of the model's end token
};

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

bool is_quoted(std::string_view text, size_t at) { return at > 0 && (text[at - 1] == '\'' || text[at - 1] == '"'); }

// A literal that begins like this, wherever one is in the template.
std::optional<std::string> literal_beginning(std::string_view text, std::string_view beginning) {
  for (size_t at = text.find(beginning); at != text.npos; at = text.find(beginning, at + 1)) {
    if (is_quoted(text, at)) return literal_at(text, at - 1);
  }
  return std::nullopt;
}

// Templates that bring a system message of their own have it as one literal, or as bare text, from the opening of the
// turn to its end.
std::optional<std::string> system_said_by(std::string_view text, const Turn& system) {
  // The newlines of the marks may be escaped in the template.
  const auto first_line = [](const std::string& mark) { return mark.substr(0, mark.find('\n')); };
  const std::string mark = first_line(system.open);
  for (size_t at = text.find(mark); at != text.npos; at = text.find(mark, at + 1)) {
    const std::string_view bare = text.substr(at, text.find('{', at) - at);
    const std::string said = is_quoted(text, at) ? literal_at(text, at - 1).value_or("") : std::string(bare);
    const size_t end = said.find(first_line(system.close));
    if (!said.starts_with(system.open) || end == said.npos) continue;
    return said.substr(system.open.size(), end - system.open.size());
  }
  return std::nullopt;
}

ChatStyle chatml(const Source& source) {
  const auto turn = [](const std::string& role) {
    return Turn{.open = "<|im_start|>" + role + "\n", .close = "<|im_end|>\n"};
  };
  ChatStyle style;
  style.system = turn("system");
  style.user = turn("user");
  style.assistant = turn("assistant");
  style.answer = style.assistant.open;
  style.default_system = system_said_by(source.text, style.system);
  return style;
}

// Llama 3.1 and later open with a system turn that states two dates, whether or not there is a system message. The
// template takes today's date from its caller, or else the date it names: that one is used, so that prompts do not
// change from day to day.
std::string llama3_preamble(std::string_view text) {
  const auto knowledge = literal_beginning(text, "Cutting Knowledge Date: ");
  const std::string_view set_date = "set date_string = \"";
  const size_t at = text.find(set_date);
  if (!knowledge || at == text.npos) return "";
  const std::string date = literal_at(text, at + set_date.size() - 1).value_or("");
  return str(*knowledge, "Today Date: ", date, "\n\n");
}

ChatStyle llama3(const Source& source) {
  const auto turn = [](const std::string& role) {
    return Turn{.open = "<|start_header_id|>" + role + "<|end_header_id|>\n\n",
                .close = "<|eot_id|>",
                .content = Content::trimmed};
  };
  ChatStyle style;
  style.system = turn("system");
  style.user = turn("user");
  style.assistant = turn("assistant");
  style.answer = style.assistant.open;
  style.system_preamble = llama3_preamble(source.text);
  if (!style.system_preamble.empty()) style.default_system = "";
  return style;
}

// Versions of this format differ in spaces; the template's own expressions say which.
ChatStyle mistral(const Source& source) {
  ChatStyle style;
  style.user = {.open = "[INST] ", .close = " [/INST]"};
  style.assistant.close = source.end;
  style.system_place = SystemPlace::first_user_turn;
  style.order = TurnOrder::user_and_assistant_alternate;
  for (const std::string_view expression : expressions_of(source.text)) {
    const std::optional<Turn> turn = turn_written_by(expression, source.end);
    if (turn && contains(turn->open, "[INST]")) style.user = *turn;
    if (turn && contains(expression, "eos_token")) style.assistant = *turn;
  }
  if (contains(source.text, "loop.last and system_message")) style.system_place = SystemPlace::last_user_turn;
  return style;
}

ChatStyle gemma(const Source& source) {
  const auto turn = [](const std::string& role) {
    return Turn{.open = "<start_of_turn>" + role + "\n", .close = "<end_of_turn>\n", .content = Content::trimmed};
  };
  ChatStyle style;
  style.user = turn("user");
  style.assistant = turn("model");
  style.system_place = SystemPlace::first_user_turn;
  style.order = TurnOrder::user_and_assistant_alternate;
  style.answer = style.assistant.open;
  if (contains(source.text, "System role not supported")) style.system_place = SystemPlace::refused;
  return style;
}

struct Format {
  std::string_view name;
  std::vector<std::string_view> marks;    // all are in its templates
  std::vector<std::string_view> strange;  // are in templates of relatives that write otherwise
  bool begins = true;                     // its usual template writes the begin token
  ChatStyle (*style)(const Source&) = nullptr;
};

const std::vector<Format>& formats() {
  static const std::vector<Format> table = {
      {"chatml", {"<|im_start|>", "<|im_end|>"}, {"<|im_sep|>"}, false, chatml},
      {"llama3", {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}, {}, true, llama3},
      {"mistral", {"[INST]", "[/INST]"}, {"<<SYS>>", "[SYSTEM_PROMPT]"}, true, mistral},
      {"gemma", {"<start_of_turn>", "<end_of_turn>"}, {}, true, gemma},
  };
  return table;
}

bool is_written_by(const Format& format, std::string_view chat_template) {
  const auto is_there = [&](std::string_view mark) { return contains(chat_template, mark); };
  return std::all_of(format.marks.begin(), format.marks.end(), is_there) &&
         std::none_of(format.strange.begin(), format.strange.end(), is_there);
}

std::string name_of(const TokenizerData& data, int token) {
  return token >= 0 && static_cast<size_t>(token) < data.tokens.size() ? data.tokens[static_cast<size_t>(token)] : "";
}

}  // namespace

std::string chat_format_names() {
  std::string names;
  for (const Format& format : formats()) names += str(names.empty() ? "" : ", ", format.name);
  return names;
}

std::optional<std::string_view> recognised_chat_format(std::string_view chat_template) {
  for (const Format& format : formats()) {
    if (is_written_by(format, chat_template)) return format.name;
  }
  return std::nullopt;
}

std::optional<ChatStyle> chat_style_of(std::string_view name, const TokenizerData& data) {
  for (const Format& format : formats()) {
    if (format.name != name) continue;
    const bool is_own = is_written_by(format, data.chat_template);
    const Source source{.text = is_own ? std::string_view(data.chat_template) : "", .end = name_of(data, data.end)};
    ChatStyle style = format.style(source);
    const bool template_begins = is_own ? contains(source.text, "bos_token") : format.begins;
    if (template_begins || data.add_begin) style.begin = name_of(data, data.begin);
    return style;
  }
  return std::nullopt;
}

}  // namespace ferry
