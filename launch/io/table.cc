#include "launch/io/table.h"

#include <algorithm>

#include "launch/io/printable.h"

namespace ferry {
namespace {

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789.,+-%×e ") == std::string_view::npos;
}

std::string padded(std::string_view text, size_t width, bool to_the_right) {
  const std::string gap(width - n_characters(text), ' ');
  return to_the_right ? gap + std::string(text) : std::string(text) + gap;
}

std::string without_trailing_blanks(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace

void Table::print(std::ostream& out, Colours colours) const {
  const std::vector<size_t> wide = widths();
  const std::vector<bool> numeric = numeric_columns();
  const auto line_of = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (size_t i = 0; i < cells.size(); ++i) line += padded(cells[i], wide[i], numeric[i]) + "  ";
    return without_trailing_blanks(line);
  };
  out << tinted(line_of(headings_), Tint::bold, colours) << '\n';
  for (const auto& cells : rows_) out << line_of(cells) << '\n';
}

std::vector<size_t> Table::widths() const {
  std::vector<size_t> wide;
  for (const std::string& heading : headings_) wide.push_back(n_characters(heading));
  for (const auto& cells : rows_) {
    for (size_t i = 0; i < cells.size(); ++i) wide[i] = std::max(wide[i], n_characters(cells[i]));
  }
  return wide;
}

std::vector<bool> Table::numeric_columns() const {
  std::vector<bool> numeric(headings_.size(), !rows_.empty());
  for (const auto& cells : rows_) {
    for (size_t i = 0; i < cells.size(); ++i) numeric[i] = numeric[i] && (cells[i].empty() || is_number(cells[i]));
  }
  return numeric;
}

}  // namespace ferry
