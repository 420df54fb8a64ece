#include "launch/io/bars.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace ferry {

namespace {

constexpr std::array kEighths = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};  // filled from the left
constexpr std::array kHeights = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

std::string repeated(const char* text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

}  // namespace

std::string bar(double begin, double end, int width) {
  const auto cell = static_cast<int>(std::clamp(begin, 0.0, 1.0) * width);
  const int first = std::min(cell, width - 1);
  const double length = std::min(end, 1.0) * width - first;  // of the bar, whose first character is whole
  const int eighths = std::max(static_cast<int>(std::lround(length * 8)), end > begin ? 1 : 0);
  std::string text = std::string(static_cast<size_t>(first), ' ') + repeated(kEighths[8], eighths / 8);
  int n = first + eighths / 8;
  if (eighths % 8 > 0) {
    text += kEighths[static_cast<size_t>(eighths % 8)];
    ++n;
  }
  return text + std::string(static_cast<size_t>(std::max(width - n, 0)), ' ');
}

std::string stacked_bar(const std::vector<Stretch>& parts, int width, Colours colours) {
  // Without colours, what follows one another has to look different.
  constexpr std::array kFills = {"█", "▓", "▒", "░"};
  std::string text;
  double end = 0;
  int n = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    end += parts[i].share;
    int next = std::clamp(static_cast<int>(std::lround(end * width)), n, width);
    if (parts[i].share > 0 && next == n && n < width) ++next;
    const char* fill = colours == Colours::on ? kFills[0] : kFills[std::min(i, kFills.size() - 1)];
    if (next > n) text += tinted(repeated(fill, next - n), parts[i].tint, colours);
    n = next;
  }
  return text + tinted(repeated("·", width - n), Tint::dim, colours);
}

std::string sparkline(const std::vector<double>& values, int width) {
  const size_t n = std::min(values.size(), static_cast<size_t>(std::max(width, 0)));
  const auto first = values.end() - static_cast<std::ptrdiff_t>(n);
  const double most = n > 0 ? *std::max_element(first, values.end()) : 0;
  std::string text;
  for (auto value = first; value != values.end(); ++value)
    text += *value > 0 ? kHeights[static_cast<size_t>(std::ceil(8 * *value / most))] : kHeights[0];
  return text;
}

}  // namespace ferry
