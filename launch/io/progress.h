#pragma once
// How far a long piece of work has come.

#include <ostream>
#include <string>
#include <string_view>

#include "core/seam/clock.h"

namespace ferry {

// One line that is rewritten on a terminal; elsewhere a line now and then, so that a log stays short. Ends itself.
class Progress {
 public:
  enum class Form { terminal, plain };
  static Form form_for(int fd);

  Progress(std::string what, size_t total, const Clock& clock, std::ostream& out, Form form);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `note` stands behind the count: "12 tokens/s".
  void update(size_t done, std::string_view note = {});

 private:
  std::string line(size_t done, std::string_view note) const;

  const std::string what_;
  const size_t total_;
  const Clock& clock_;
  std::ostream& out_;
  const Form form_;
  Instant next_;
  std::string shown_;
};

}  // namespace ferry
