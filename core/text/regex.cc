#include "core/text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <cstdint>
#include <string>

#include "core/base/error.h"
#include "core/text/unicode/classes.h"

namespace ferry {
namespace {

std::string message_of(int pcre2_error) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(pcre2_error, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

// What a search needs besides the pattern. Not shared between threads.
class Search {
 public:
  explicit Search(const pcre2_code* code)
      : code_(code), data_(pcre2_match_data_create(1, nullptr)), context_(pcre2_match_context_create(nullptr)) {
    if (!data_ || !context_) throw std::bad_alloc();
    // The patterns take time linear in the text, so the text may have any length.
    pcre2_set_match_limit(context_.get(), UINT32_MAX);
    pcre2_set_depth_limit(context_.get(), UINT32_MAX);
  }

  // The match at or after `at`; empty at the end of the text: none.
  std::string_view next(std::string_view text, size_t at) {
    const int found = pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at, PCRE2_NO_UTF_CHECK,
                                  data_.get(), context_.get());
    if (found == PCRE2_ERROR_NOMATCH) return text.substr(text.size());
    if (found < 0) throw Error(str("cannot cut the text into words: ", message_of(found)));
    const PCRE2_SIZE* span = pcre2_get_ovector_pointer(data_.get());
    return text.substr(span[0], span[1] - span[0]);
  }

 private:
  struct Free {
    void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
    void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
  };
  const pcre2_code* code_;
  std::unique_ptr<pcre2_match_data, Free> data_;
  std::unique_ptr<pcre2_match_context, Free> context_;
};

}  // namespace

void Regex::Free::operator()(pcre2_code* code) const { pcre2_code_free(code); }

Regex::Regex(std::string_view pattern) {
  const std::string pinned = with_pinned_classes(pattern);
  int error = 0;
  PCRE2_SIZE offset = 0;
  code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pinned.data()), pinned.size(), PCRE2_UTF | PCRE2_UCP, &error,
                            &offset, nullptr));
  if (!code_) throw Error(str("PCRE2 refuses the pattern ", pinned, " at ", offset, ": ", message_of(error)));
  // Only speed: where there is no JIT, pcre2_match() interprets.
  pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);
}

std::vector<std::string_view> Regex::parts_of(const std::vector<std::string_view>& texts) const {
  std::vector<std::string_view> parts;
  Search search(code_.get());
  for (const std::string_view text : texts) {
    size_t at = 0;
    while (at < text.size()) {
      const std::string_view match = search.next(text, at);
      const auto begin = static_cast<size_t>(match.data() - text.data());
      if (begin > at) parts.push_back(text.substr(at, begin - at));
      if (!match.empty()) parts.push_back(match);
      at = begin + match.size();
    }
  }
  return parts;
}

}  // namespace ferry
