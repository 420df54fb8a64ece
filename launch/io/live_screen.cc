#include "launch/io/live_screen.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "launch/io/terminal.h"

namespace ferry {

namespace {

// Another screen, and back; the cursor away, and back.
constexpr std::string_view kBegin = "\x1b[?1049h\x1b[?25l", kEnd = "\x1b[?25h\x1b[?1049l";

void write_all(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

}  // namespace

bool can_redraw(int fd) {
  const char* term = std::getenv("TERM");
  return is_terminal(fd) && term != nullptr && std::string_view(term) != "dumb";
}

LiveScreen::LiveScreen() {
  termios now;
  if (tcgetattr(STDIN_FILENO, &now) == 0) {
    before_ = now;
    now.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);  // keys come as they are pressed; Ctrl-C is a signal still
    tcsetattr(STDIN_FILENO, TCSANOW, &now);
  }
  write_all(kBegin);
}

LiveScreen::~LiveScreen() {
  write_all(kEnd);
  if (before_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &*before_);  // keys that nobody read are not for the shell
}

void LiveScreen::show(std::string_view lines) {
  std::string text = "\x1b[H";  // over what is there, so that nothing flickers
  for (const char c : lines) {
    if (c == '\n') text += "\x1b[K";
    text += c;
  }
  write_all(text + "\x1b[J");
}

int LiveScreen::keys() const { return before_ ? STDIN_FILENO : -1; }

bool LiveScreen::asked_to_end() {
  char key = 0;
  const ssize_t n = read(STDIN_FILENO, &key, 1);
  return n <= 0 || key == 'q' || key == 'Q';
}

}  // namespace ferry
