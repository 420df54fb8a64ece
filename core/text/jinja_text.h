#pragma once
// Looks into the text of a Jinja template without running it.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/chat_style.h"

namespace ferry {

// The expressions {{ … }} of a template, without the braces.
std::vector<std::string_view> expressions_of(std::string_view text);

// The string literal that begins at `at` (a quote), its escapes resolved; none: it does not end.
std::optional<std::string> literal_at(std::string_view text, size_t at);

// The turn that an expression like  '[INST] ' + message['content'] | trim + eos_token  writes; none: it is not a sum of
// literals, one content and `eos_token`, which stands for `end`.
std::optional<Turn> turn_written_by(std::string_view expression, std::string_view end);

}  // namespace ferry
