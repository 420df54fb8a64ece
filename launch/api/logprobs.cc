#include "launch/api/logprobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/text/unicode/utf8.h"
#include "launch/io/printable.h"
#include "launch/io/result_json.h"

namespace ferry {
namespace {

using nlohmann::ordered_json;

// A token that is no text of its own, but a piece of a character, is told by its bytes: otherwise all such tokens would
// look the same.
std::string name_of_token(std::string_view bytes, std::string_view prefix) {
  if (!first_invalid_utf8(bytes)) return std::string(bytes);
  std::string name(prefix);
  for (const char c : bytes) name += fmt::format("\\x{:02x}", static_cast<uint8_t>(c));
  return name;
}

// A model's matrices may have more rows than its tokenizer has tokens.
std::optional<std::string_view> bytes_of(int id, const Tokenizer& tokenizer) {
  return id < tokenizer.n_vocab() ? std::optional(tokenizer.bytes_of(id)) : std::nullopt;
}

std::string name_without_bytes(int id) { return fmt::format("token_id:{}", id); }

ordered_json chat_entry(int id, float logprob, const Tokenizer& tokenizer) {
  const auto bytes = bytes_of(id, tokenizer);
  if (!bytes) return {{"token", name_without_bytes(id)}, {"logprob", json_number(logprob)}, {"bytes", nullptr}};
  ordered_json numbers = ordered_json::array();
  for (const char c : *bytes) numbers.push_back(static_cast<uint8_t>(c));
  return {{"token", name_of_token(*bytes, "")}, {"logprob", json_number(logprob)}, {"bytes", std::move(numbers)}};
}

std::string text_name(int id, const Tokenizer& tokenizer) {
  const auto bytes = bytes_of(id, tokenizer);
  return bytes ? name_of_token(*bytes, "bytes:") : name_without_bytes(id);
}

// The best ones, and the chosen one if it is not among them.
ordered_json text_alternatives(const Token& token, const Tokenizer& tokenizer) {
  ordered_json all = ordered_json::object();
  for (const Alternative& other : token.top) all[text_name(other.id, tokenizer)] = json_number(other.logprob);
  all[text_name(token.id, tokenizer)] = json_number(token.logprob);
  return all;
}

// Control tokens are not in the text.
size_t n_characters_begun(int id, const Tokenizer& tokenizer) {
  const auto bytes = bytes_of(id, tokenizer);
  return bytes && !tokenizer.is_control(id) ? n_characters(*bytes) : 0;
}

}  // namespace

ordered_json chat_logprobs(std::span<const Token> tokens, const Tokenizer& tokenizer) {
  ordered_json content = ordered_json::array();
  for (const Token& token : tokens) {
    ordered_json entry = chat_entry(token.id, token.logprob, tokenizer);
    ordered_json& top = entry["top_logprobs"] = ordered_json::array();
    for (const Alternative& other : token.top) top.push_back(chat_entry(other.id, other.logprob, tokenizer));
    content.push_back(std::move(entry));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

ordered_json text_logprobs(std::span<const Token> tokens, const Tokenizer& tokenizer, size_t& offset) {
  ordered_json names = ordered_json::array(), logprobs = names, tops = names, offsets = names;
  for (const Token& token : tokens) {
    names.push_back(text_name(token.id, tokenizer));
    logprobs.push_back(json_number(token.logprob));
    tops.push_back(text_alternatives(token, tokenizer));
    offsets.push_back(offset);
    offset += n_characters_begun(token.id, tokenizer);
  }
  return {{"tokens", std::move(names)},
          {"token_logprobs", std::move(logprobs)},
          {"top_logprobs", std::move(tops)},
          {"text_offset", std::move(offsets)}};
}

ordered_json prompt_logprobs(int first, std::span<const Token> rest, const Tokenizer& tokenizer) {
  ordered_json all = {{"tokens", {text_name(first, tokenizer)}},
                      {"token_logprobs", {nullptr}},
                      {"top_logprobs", {nullptr}},
                      {"text_offset", {0}}};
  size_t offset = n_characters_begun(first, tokenizer);
  append_text_logprobs(text_logprobs(rest, tokenizer, offset), all);
  return all;
}

void append_text_logprobs(ordered_json&& more, ordered_json& all) {
  for (auto& [list, items] : more.items()) {
    for (ordered_json& item : items) all[list].push_back(std::move(item));
  }
}

}  // namespace ferry
