#pragma once
// A regular expression over UTF-8 that means the same on every machine: \p{L}, \p{N}, \p{P} and \s are those of
// Unicode 16, whichever Unicode the regex library was built with.

#include <memory>
#include <string_view>
#include <vector>

struct pcre2_real_code_8;  // PCRE2's compiled pattern; its header stays in regex.cc

namespace ferry {

class Regex {
 public:
  explicit Regex(std::string_view pattern);

  // Appends the matches in `text` and what lies between them, in order. `text` must be valid UTF-8.
  void cut(std::string_view text, std::vector<std::string_view>& parts) const;

 private:
  struct Free {
    void operator()(pcre2_real_code_8* code) const;
  };
  std::unique_ptr<pcre2_real_code_8, Free> code_;
};

}  // namespace ferry
