// Any text: encoded and decoded it is itself, streamed it is what it is at once, and no input breaks anything.
//
// The first byte chooses the pre-tokenizer; the rest is the text. One byte has no token, as in real vocabularies.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/check.h"
#include "core/base/error.h"
#include "core/text/byte_alphabet.h"
#include "core/text/detokenizer.h"
#include "core/text/stop_matcher.h"
#include "core/text/tokenizer.h"
#include "core/text/unicode/utf8.h"

namespace ferry {
namespace {

constexpr std::array<const char*, 5> kPreTokenizers = {"gpt-2", "smollm", "llama-bpe", "qwen2", "default"};
constexpr char kMissingByte = '\x04';

void add(TokenizerData& data, const std::string& text, TokenKind kind) {
  data.tokens.push_back(text);
  data.kinds.push_back(kind);
}

TokenizerData data_with(const char* pre) {
  TokenizerData data;
  data.model = "gpt2";
  data.pre = pre;
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    if (c != kMissingByte) add(data, spelled({&c, 1}), TokenKind::normal);
  }
  data.merges = {"Ġ a", "a a", "aa aa", "' s", "Ġ Ġ", "Ã ©", "1 2", "Ġa b", "ð Ł", "ðŁ ļ", "ĊĊ Ċ", "Ċ Ċ"};
  for (const char* merged : {"Ġa", "aa", "aaaa", "'s", "ĠĠ", "Ã©", "12", "Ġab", "ðŁ", "ðŁļ", "ĊĊ", "ĊĊĊ"}) {
    add(data, merged, TokenKind::normal);
  }
  for (const char* name : {"<s>", "</s>", "<s><s>x"}) add(data, name, TokenKind::control);
  add(data, "<tool>", TokenKind::user_defined);
  return data;
}

const Tokenizer& tokenizer_for(size_t choice) {
  static const auto tokenizers = [] {
    std::vector<Tokenizer> all;
    for (const char* pre : kPreTokenizers) all.emplace_back(data_with(pre));
    return all;
  }();
  return tokenizers[choice % tokenizers.size()];
}

std::string without_missing_byte(std::string_view text) {
  std::string kept;
  for (const char c : text) {
    if (c != kMissingByte) kept += c;
  }
  return kept;
}

void refuses(const Tokenizer& tokenizer, std::string_view text) {
  try {
    tokenizer.encode(text, SpecialTokens::plain);
  } catch (const Error&) {
    return;
  }
  check(false, "text that is not UTF-8 is refused");
}

std::string streamed(const Tokenizer& tokenizer, const std::vector<int>& ids) {
  Detokenizer detokenizer(tokenizer);
  std::string shown;
  for (const int id : ids) {
    const std::string piece = detokenizer.append(id);
    check(!first_invalid_utf8(piece), "every piece is text");
    shown += piece;
  }
  return shown + detokenizer.flush();
}

// Bytes as tokens: what a model may produce.
void check_any_bytes(const Tokenizer& tokenizer, std::string_view bytes) {
  std::vector<int> ids;
  for (const char c : bytes) ids.push_back(static_cast<uint8_t>(c) % tokenizer.n_vocab());
  const std::string text = tokenizer.decode(ids);
  check(!first_invalid_utf8(text), "decoded text is UTF-8");
  check(streamed(tokenizer, ids) == text, "pieces are the decoded text");
}

void check_stops(std::string_view text) {
  const StopStrings stops({"aa", "aab", "\n\n", "s><"});
  StopMatcher matcher(stops);
  std::string shown;
  for (size_t at = 0; at < text.size(); at += 3) shown += matcher.append(text.substr(at, 3));
  if (!matcher.stop()) {
    check(shown + matcher.flush() == text, "without a stop, all of the text is shown");
    return;
  }
  check(text.starts_with(shown + *matcher.stop()), "what is shown ends where the stop begins");
}

void check_text(const Tokenizer& tokenizer, std::string_view text) {
  if (first_invalid_utf8(text)) {
    refuses(tokenizer, text);
    return;
  }
  const std::vector<int> ids = tokenizer.encode(text, SpecialTokens::plain);
  check(tokenizer.decode(ids) == without_missing_byte(text), "decoding gives back what was encoded");
  check(streamed(tokenizer, ids) == without_missing_byte(text), "streaming gives back what was encoded");
  std::string named;
  for (const int id : tokenizer.encode(text, SpecialTokens::parsed)) named += tokenizer.bytes_of(id);
  check(named == without_missing_byte(text), "special tokens parsed, names included, nothing is lost");
  check_stops(text);
}

}  // namespace
}  // namespace ferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const ferry::Tokenizer& tokenizer = ferry::tokenizer_for(data[0]);
  ferry::check_any_bytes(tokenizer, text);
  ferry::check_text(tokenizer, text);
  return 0;
}
