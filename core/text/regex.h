#pragma once
// A regular expression over UTF-8 that means the same on every machine: \p{L}, \p{N}, \p{P} and \s are those of
// Unicode 16, whether PCRE2 was built with that or with an older Unicode, down to 14.

#include <memory>
#include <string_view>
#include <vector>

struct pcre2_real_code_8;  // PCRE2's compiled pattern; its header stays in regex.cc

namespace ferry {

class Regex {
 public:
  explicit Regex(std::string_view pattern);

  // Cuts each text into the matches in it and what lies between them, in order. Nothing outside of a text is looked at.
  // The texts must be valid UTF-8.
  std::vector<std::string_view> parts_of(const std::vector<std::string_view>& texts) const;

 private:
  struct Free {
    void operator()(pcre2_real_code_8* code) const;
  };
  std::unique_ptr<pcre2_real_code_8, Free> code_;
};

}  // namespace ferry
