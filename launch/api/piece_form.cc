#include "launch/api/piece_form.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "core/base/check.h"
#include "launch/io/result_json.h"

namespace ferry {

void append_json_string(std::string_view text, std::string& out) {
  const auto stands_for_itself = [](char c) { return c >= ' ' && c < 0x7f && c != '"' && c != '\\'; };
  if (std::ranges::all_of(text, stands_for_itself)) {
    out += '"';
    out += text;
    out += '"';
  } else {
    out += text_of(std::string(text));
  }
}

PieceForm::PieceForm(const std::string& head, const CompletionRequest& request) {
  check(head.ends_with('}'), "a head is an object");
  const bool is_chat = request.endpoint == Endpoint::chat;
  begin_ = "data: " + head.substr(0, head.size() - 1) + R"(,"choices":[{"index":)";
  before_text_ = is_chat ? R"(,"delta":{"content":)" : R"(,"text":)";
  after_text_ = is_chat ? R"(},"logprobs":)" : R"(,"logprobs":)";
  end_ = R"(,"finish_reason":null}])";
  end_ += request.include_usage ? R"(,"usage":null})" : "}";
  end_ += "\n\n";
}

void PieceForm::write(size_t choice, std::string_view text, std::string_view logprobs, std::string& out) const {
  constexpr size_t kIndexAndQuotes = 16;
  out.reserve(out.size() + begin_.size() + before_text_.size() + text.size() + after_text_.size() + logprobs.size() +
              end_.size() + kIndexAndQuotes);
  out += begin_;
  fmt::format_to(std::back_inserter(out), "{}", choice);
  out += before_text_;
  append_json_string(text, out);
  out += after_text_;
  out += logprobs;
  out += end_;
}

}  // namespace ferry
