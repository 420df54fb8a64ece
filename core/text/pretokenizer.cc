#include "core/text/pretokenizer.h"

#include "core/base/error.h"
#include "core/text/regex.h"

namespace ferry {
namespace {

struct Recipe {
  std::vector<std::string_view> names;
  WholeWords whole_words = WholeWords::merged;
  std::vector<std::string_view> patterns;
};

constexpr std::string_view kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

const std::vector<Recipe>& recipes() {
  static const std::vector<Recipe> table = {
      {.names = {"gpt-2", "gpt2"}, .patterns = {kGpt2}},
      // Numerals one by one. The reference asks Rust's standard library what a numeral is, which knows Unicode 17.
      {.names = {"smollm"}, .patterns = {R"([\p{N}\x{11de0}-\x{11de9}\x{16ff4}-\x{16ff6}])", kGpt2}},
      {.names = {"llama-bpe", "llama3", "llama-v3"},
       .whole_words = WholeWords::taken,
       .patterns = {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
                    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)"}},
      {.names = {"qwen2"},
       .patterns = {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
                    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)"}},
      {.names = {"default"}, .patterns = {R"([\p{P}$+<=>^~|]+)", kGpt2, R"(\p{N}+)", R"([0-9][0-9][0-9])"}},
  };
  return table;
}

const Recipe& recipe_of(std::string_view name) {
  std::string known;
  for (const Recipe& recipe : recipes()) {
    for (const std::string_view candidate : recipe.names) {
      if (candidate == name) return recipe;
      known += str(known.empty() ? "" : ", ", candidate);
    }
  }
  throw Error(
      str("the model file's pre-tokenizer \"", name, "\" (tokenizer.ggml.pre) is not known; known are ", known));
}

}  // namespace

PreTokenizer::PreTokenizer(std::string_view name) {
  const Recipe& recipe = recipe_of(name);
  whole_words_ = recipe.whole_words;
  for (const std::string_view pattern : recipe.patterns) patterns_.emplace_back(pattern);
}

std::vector<std::string_view> PreTokenizer::words_of(std::string_view text) const {
  std::vector<std::string_view> words;
  if (!text.empty()) words.push_back(text);
  for (const Regex& pattern : patterns_) words = pattern.parts_of(words);
  return words;
}

}  // namespace ferry
