#include "core/text/unicode/classes.h"

#include <array>

namespace ferry {
namespace {

// PCRE2 10.42 knows Unicode 14. These came with Unicode 15 to 16; a newer PCRE2 has them twice, which changes nothing.
constexpr std::string_view kLettersSince14 =
    R"(\x{1c89}-\x{1c8a}\x{a7cb}-\x{a7cd}\x{a7da}-\x{a7dc}\x{105c0}-\x{105f3}\x{10d4a}-\x{10d65})"
    R"(\x{10d6f}-\x{10d85}\x{10ec2}-\x{10ec4}\x{1123f}-\x{11240}\x{11380}-\x{11389}\x{1138b}\x{1138e})"
    R"(\x{11390}-\x{113b5}\x{113b7}\x{113d1}\x{113d3}\x{11bc0}-\x{11be0}\x{11f02}\x{11f04}-\x{11f10})"
    R"(\x{11f12}-\x{11f33}\x{1342f}\x{13441}-\x{13446}\x{13460}-\x{143fa}\x{16100}-\x{1611d}\x{16d40}-\x{16d6c})"
    R"(\x{18cff}\x{1b132}\x{1b155}\x{1df25}-\x{1df2a}\x{1e030}-\x{1e06d}\x{1e4d0}-\x{1e4eb}\x{1e5d0}-\x{1e5ed})"
    R"(\x{1e5f0}\x{2b739}\x{2ebf0}-\x{2ee5d}\x{31350}-\x{323af})";
constexpr std::string_view kNumbersSince14 =
    R"(\x{10d40}-\x{10d49}\x{116d0}-\x{116e3}\x{11bf0}-\x{11bf9}\x{11f50}-\x{11f59}\x{16130}-\x{16139})"
    R"(\x{16d70}-\x{16d79}\x{1ccf0}-\x{1ccf9}\x{1d2c0}-\x{1d2d3}\x{1e4f0}-\x{1e4f9}\x{1e5f1}-\x{1e5fa})";
constexpr std::string_view kPunctuationSince14 =
    R"(\x{1b4e}-\x{1b4f}\x{1b7f}\x{10d6e}\x{113d4}-\x{113d5}\x{113d7}-\x{113d8}\x{11b00}-\x{11b09}\x{11be1})"
    R"(\x{11f43}-\x{11f4f}\x{16d6d}-\x{16d6f}\x{1e5ff})";

// White_Space. PCRE2's own \s also has U+180E, which left that property with Unicode 6.3.
constexpr std::string_view kSpaces =
    R"(\t-\r\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

struct Pinned {
  std::string_view written;
  std::string_view base;  // what PCRE2 has right, and what is to be added
  std::string_view added;
};

constexpr std::array<Pinned, 4> kPinned = {{
    {.written = R"(\p{L})", .base = R"(\p{L})", .added = kLettersSince14},
    {.written = R"(\p{N})", .base = R"(\p{N})", .added = kNumbersSince14},
    {.written = R"(\p{P})", .base = R"(\p{P})", .added = kPunctuationSince14},
    {.written = R"(\s)", .base = "", .added = kSpaces},
}};

const Pinned* pinned_at(std::string_view pattern) {
  for (const Pinned& pinned : kPinned) {
    if (pattern.starts_with(pinned.written)) return &pinned;
  }
  return nullptr;
}

}  // namespace

std::string with_pinned_classes(std::string_view pattern) {
  constexpr std::string_view kNoSpace = R"(\S)";  // only outside brackets: a class cannot hold its complement
  std::string out;
  bool in_brackets = false;
  while (!pattern.empty()) {
    size_t n_taken = pattern[0] == '\\' ? 2 : 1;
    if (const Pinned* pinned = pinned_at(pattern)) {
      n_taken = pinned->written.size();
      const std::string members = std::string(pinned->base).append(pinned->added);
      out += in_brackets ? members : '[' + members + ']';
    } else if (pattern.starts_with(kNoSpace)) {
      out += std::string("[^").append(kSpaces) + ']';
    } else {
      out += pattern.substr(0, n_taken);
      if (pattern[0] == '[') in_brackets = true;
      if (pattern[0] == ']') in_brackets = false;
    }
    pattern.remove_prefix(n_taken);
  }
  return out;
}

}  // namespace ferry
