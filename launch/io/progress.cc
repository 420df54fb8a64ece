#include "launch/io/progress.h"

#include <fmt/format.h>

#include <algorithm>

#include "launch/io/terminal.h"

namespace ferry {
namespace {

// A terminal is redrawn fast enough to look alive; a log gets a line now and then.
constexpr Duration kRedraw = std::chrono::milliseconds(100);
constexpr Duration kLogLine = std::chrono::seconds(5);
constexpr size_t kBarWidth = 24;

}  // namespace

Progress::Form Progress::form_for(int fd) { return is_terminal(fd) ? Form::terminal : Form::plain; }

Progress::Progress(std::string what, size_t total, const Clock& clock, std::ostream& out, Form form)
    : what_(std::move(what)), total_(total), clock_(clock), out_(out), form_(form), next_(clock.now()) {}

Progress::~Progress() {
  if (form_ == Form::terminal && !shown_.empty()) out_ << '\n' << std::flush;
}

void Progress::update(size_t done, std::string_view note) {
  const bool is_last = done >= total_;
  if (clock_.now() < next_ && !is_last) return;
  next_ = clock_.now() + (form_ == Form::terminal ? kRedraw : kLogLine);
  std::string now = line(done, note);
  if (now == shown_) return;
  if (form_ == Form::terminal) {
    out_ << '\r' << now << "\x1b[K" << std::flush;  // clears what a longer line left behind
  } else {
    out_ << now << '\n' << std::flush;
  }
  shown_ = std::move(now);
}

std::string Progress::line(size_t done, std::string_view note) const {
  const size_t filled = total_ == 0 ? kBarWidth : kBarWidth * std::min(done, total_) / total_;
  std::string bar;
  for (size_t i = 0; i < kBarWidth && form_ == Form::terminal; ++i) bar += i < filled ? "━" : "┄";
  return fmt::format("{}{}{} {}/{}{}{}", what_, bar.empty() ? "" : " ", bar, done, total_, note.empty() ? "" : "  ",
                     note);
}

}  // namespace ferry
