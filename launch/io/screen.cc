#include "launch/io/screen.h"

#include <sstream>

namespace ferry {

namespace {

std::string cut(const std::string& line, int columns) {
  std::string kept;
  int n = 0;
  bool escaped = false;
  for (const char c : line) {
    const bool begins = (static_cast<unsigned char>(c) & 0xC0) != 0x80;  // a character of UTF-8
    if (c == '\x1b') escaped = true;
    if (!escaped && begins && ++n > columns) return kept + (line.find('\x1b') == std::string::npos ? "" : "\x1b[0m");
    kept += c;
    if (escaped && c == 'm') escaped = false;
  }
  return kept;
}

}  // namespace

Screen screen_of(int fd) { return {.columns = columns_of(fd), .lines = lines_of(fd) - 1, .colours = colours_for(fd)}; }

std::string fitted(const std::string& text, const Screen& screen) {
  std::istringstream lines(text);
  std::string shown;
  int n = 0;
  for (std::string line; n < screen.lines && std::getline(lines, line); ++n) shown += cut(line, screen.columns) + '\n';
  return shown;
}

}  // namespace ferry
