#include "launch/front/prompt_source.h"

#include <iostream>
#include <nlohmann/json.hpp>

#include "core/base/error.h"

namespace ferry {

namespace {

// A text typed as an option goes the way of any other prompt line.
std::string line_of(const std::string& text) {
  return nlohmann::json{{"id", "prompt"}, {"prompt", text}}.dump(-1, ' ', false,
                                                                 nlohmann::json::error_handler_t::ignore);
}

}  // namespace

PromptSource::PromptSource(const PromptOptions& options)
    : chat_(options.chat),
      file_(options.file == "-" ? "" : options.file),
      text_(line_of(options.text)),
      reader_(options.file.empty()  ? static_cast<std::istream&>(text_)
              : options.file == "-" ? std::cin
                                    : file_) {
  if (!options.file.empty() && options.file != "-" && !file_) throw Error(str("cannot read ", options.file));
}

std::optional<PromptEntry> PromptSource::next() {
  auto entry = reader_.next();
  if (!entry || !chat_) return entry;
  if (auto* prompt = std::get_if<PromptLine>(&*entry)) {
    if (auto* text = std::get_if<std::string>(&prompt->prompt)) {
      prompt->prompt = std::vector<Message>{{.role = "user", .content = std::move(*text)}};
    }
  }
  return entry;
}

}  // namespace ferry
