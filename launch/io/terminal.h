#pragma once
// How things look on a terminal, and that they stay plain where there is none.

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "core/seam/clock.h"

namespace ferry {

enum class Colours { off, on };

bool is_terminal(int fd);
// On for a terminal that shows them, unless NO_COLOR is set.
Colours colours_for(int fd);

enum class Tint { bold, dim, red, green, yellow, cyan };
std::string tinted(std::string_view text, Tint tint, Colours colours);

// Columns as wide as their widest cell (counted in characters, not bytes); numbers to the right, text to the left.
class Table {
 public:
  explicit Table(std::vector<std::string> headings) : headings_(std::move(headings)) {}
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  void print(std::ostream& out, Colours colours = Colours::off) const;

 private:
  std::vector<size_t> widths() const;
  std::vector<bool> numeric_columns() const;

  std::vector<std::string> headings_;
  std::vector<std::vector<std::string>> rows_;
};

// One line that is rewritten on a terminal; elsewhere a line now and then, so that a log stays short. Ends itself.
class Progress {
 public:
  enum class Form { terminal, plain };

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
