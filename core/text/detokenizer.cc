#include "core/text/detokenizer.h"

#include <utility>

#include "core/text/unicode/utf8.h"

namespace ferry {

std::string Detokenizer::append(int token) {
  if (control_ == ControlTokens::hidden && tokenizer_.is_control(token)) return {};
  std::string bytes = std::exchange(waiting_, {});
  bytes += tokenizer_.bytes_of(token);
  const size_t n_whole = bytes.size() - incomplete_tail(bytes);
  waiting_ = bytes.substr(n_whole);
  bytes.resize(n_whole);
  return with_replacements(bytes);
}

std::string Detokenizer::flush() { return with_replacements(std::exchange(waiting_, {})); }

}  // namespace ferry
