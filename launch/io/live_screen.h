#pragma once
// The terminal as a picture that changes in place. It is left as it was found.

#include <termios.h>

#include <optional>
#include <string_view>

namespace ferry {

bool can_redraw(int fd);  // a terminal on which a picture can change in place

class LiveScreen {
 public:
  LiveScreen();
  ~LiveScreen();
  LiveScreen(const LiveScreen&) = delete;
  LiveScreen& operator=(const LiveScreen&) = delete;

  void show(std::string_view lines);  // in the place of what was shown; each with its end

  int keys() const;     // to be polled; -1: nobody can press any
  bool asked_to_end();  // by 'q'; reads what keys() has

 private:
  std::optional<termios> before_;  // of stdin
};

}  // namespace ferry
