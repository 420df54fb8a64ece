#include "core/text/jinja_text.h"

#include <algorithm>

#include "core/text/unicode/utf8.h"

namespace ferry {
namespace {

bool is_quote(char c) { return c == '\'' || c == '"'; }

char unescaped(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return c;
  }
}

// Where the literal that begins at `at` ends: the index of its closing quote, or the end of the text.
size_t literal_end(std::string_view text, size_t at) {
  size_t i = at + 1;
  while (i < text.size() && text[i] != text[at]) i += text[i] == '\\' ? 2 : 1;
  return std::min(i, text.size());
}

// The terms of a sum; a '+' within a literal is text.
std::vector<std::string_view> terms_of(std::string_view expression) {
  std::vector<std::string_view> terms;
  size_t begin = 0;
  for (size_t i = 0; i < expression.size(); ++i) {
    if (is_quote(expression[i])) i = literal_end(expression, i);
    if (i < expression.size() && expression[i] == '+') {
      terms.push_back(trimmed(expression.substr(begin, i - begin)));
      begin = i + 1;
    }
  }
  terms.push_back(trimmed(expression.substr(begin)));
  return terms;
}

bool is_content(std::string_view term) { return term.starts_with("message") && term.find("content") != term.npos; }

Content content_of(std::string_view term) {
  const bool trims = term.find("trim") != term.npos || term.find("strip()") != term.npos;
  return trims ? Content::trimmed : Content::as_is;
}

}  // namespace

std::vector<std::string_view> expressions_of(std::string_view text) {
  std::vector<std::string_view> expressions;
  size_t at = 0;
  while ((at = text.find("{{", at)) != text.npos) {
    const size_t end = text.find("}}", at);
    if (end == text.npos) break;
    std::string_view inside = text.substr(at + 2, end - at - 2);
    // "{{-" and "-}}" only say that white space around the expression goes.
    if (inside.starts_with('-')) inside.remove_prefix(1);
    if (inside.ends_with('-')) inside.remove_suffix(1);
    expressions.push_back(trimmed(inside));
    at = end + 2;
  }
  return expressions;
}

std::optional<std::string> literal_at(std::string_view text, size_t at) {
  const size_t end = literal_end(text, at);
  if (end == text.size()) return std::nullopt;
  std::string literal;
  for (size_t i = at + 1; i < end; ++i) literal += text[i] == '\\' ? unescaped(text[++i]) : text[i];
  return literal;
}

std::optional<Turn> turn_written_by(std::string_view expression, std::string_view end) {
  Turn turn;
  bool has_content = false;
  for (const std::string_view term : terms_of(expression)) {
    std::string& side = has_content ? turn.close : turn.open;
    if (!term.empty() && is_quote(term[0]) && literal_end(term, 0) + 1 == term.size()) {
      side += literal_at(term, 0).value();
    } else if (term == "eos_token") {
      side += end;
    } else if (is_content(term) && !has_content) {
      has_content = true;
      turn.content = content_of(term);
    } else {
      return std::nullopt;
    }
  }
  if (!has_content) return std::nullopt;
  return turn;
}

}  // namespace ferry
