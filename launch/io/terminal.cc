#include "launch/io/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "launch/io/live_screen.h"
#include "parallel/mpi.h"

namespace ferry {

namespace {

winsize size_of(int fd) {
  winsize size = {};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) size = {.ws_row = 24, .ws_col = 80};
  return size;
}

}  // namespace

int columns_of(int fd) { return size_of(fd).ws_col; }
int lines_of(int fd) { return size_of(fd).ws_row; }

// mpirun gives its ranks a terminal of their own, wherever its output goes.
bool is_terminal(int fd) { return isatty(fd) == 1 && !launched_by_mpirun(); }

Colours colours_for(int fd) {
  const char* no_color = std::getenv("NO_COLOR");  // https://no-color.org: set and not empty
  const bool refused = no_color != nullptr && *no_color != '\0';
  return can_redraw(fd) && !refused ? Colours::on : Colours::off;
}

std::string tinted(std::string_view text, Tint tint, Colours colours) {
  if (colours == Colours::off) return std::string(text);
  constexpr std::array kCodes = {1, 2, 31, 32, 33, 36};  // as in Tint
  return fmt::format("\x1b[{}m{}\x1b[0m", kCodes[static_cast<size_t>(tint)], text);
}

}  // namespace ferry
