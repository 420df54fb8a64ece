#pragma once
// Columns for people.

#include <ostream>
#include <string>
#include <vector>

#include "launch/io/terminal.h"

namespace ferry {

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

}  // namespace ferry
