#include "launch/front/prompt_source.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "launch/io/json_line.h"

namespace ferry {

namespace {

constexpr size_t kMostBytes = size_t{64} << 20;  // of a line; what is longer is no prompt

// A text typed as an option goes the way of any other prompt line.
std::string line_of(const std::string& text) {
  return nlohmann::json{{"id", "prompt"}, {"prompt", text}}.dump(-1, ' ', false,
                                                                 nlohmann::json::error_handler_t::ignore);
}

}  // namespace

std::optional<std::string> LinesOf::next() {
  size_t end = rest_.find('\n');
  if (end == std::string::npos && !ended_) {
    read_some();
    end = rest_.find('\n');
  }
  const bool is_over = ended_ || rest_.size() > kMostBytes;
  if (end == std::string::npos && (!is_over || rest_.empty())) return std::nullopt;
  std::string line = rest_.substr(0, end);
  rest_.erase(0, end == std::string::npos ? end : end + 1);
  return line;
}

void LinesOf::read_some() {
  pollfd ready = {.fd = fd_, .events = POLLIN, .revents = 0};
  if (poll(&ready, 1, 0) <= 0) return;
  std::array<char, 1 << 16> bytes;
  const ssize_t n = read(fd_, bytes.data(), bytes.size());
  if (n > 0) rest_.append(bytes.data(), static_cast<size_t>(n));
  ended_ = n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN);
}

PromptSource::PromptSource(const PromptOptions& options)
    : chat_(options.chat),
      stdin_(options.file == "-"),
      file_(stdin_ ? "" : options.file),
      text_(line_of(options.text)),
      reader_(options.file.empty() ? static_cast<std::istream&>(text_) : file_),
      lines_(STDIN_FILENO) {
  if (!options.file.empty() && !stdin_ && !file_) throw Error(str("cannot read ", options.file));
}

NextPrompt PromptSource::next() {
  if (stdin_) return next_of_stdin();
  auto entry = reader_.next();
  if (!entry) return NoMore{};
  return in_chat(std::move(*entry));
}

NextPrompt PromptSource::next_of_stdin() {
  while (const auto line = lines_.next()) {
    ++n_lines_;
    if (!is_blank(*line)) return in_chat(parse_prompt(*line, n_lines_));
  }
  if (lines_.ended()) return NoMore{};
  return NoneYet{};
}

PromptEntry PromptSource::in_chat(PromptEntry entry) const {
  if (auto* prompt = std::get_if<PromptLine>(&entry); prompt && chat_) {
    if (auto* text = std::get_if<std::string>(&prompt->prompt)) {
      prompt->prompt = std::vector<Message>{{.role = "user", .content = std::move(*text)}};
    }
  }
  return entry;
}

}  // namespace ferry
