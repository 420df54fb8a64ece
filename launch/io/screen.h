#pragma once
// The room that a picture of text has.

#include <string>

#include "launch/io/terminal.h"

namespace ferry {

struct Screen {
  int columns = 80;
  int lines = 24;
  Colours colours = Colours::off;
};

// Of a terminal; all but its last line, where the cursor stays.
Screen screen_of(int fd);

// As many lines as fit, each with its end. One that is too long is cut, between characters and not inside of an escape
// sequence.
std::string fitted(const std::string& text, const Screen& screen);

}  // namespace ferry
