#pragma once
// Amounts as bars of characters, in eighths of one.

#include <string>
#include <vector>

#include "launch/io/terminal.h"

namespace ferry {

// From `begin` to `end` (shares of the whole, 0 to 1), `width` characters wide with the blanks around it. What is not
// nothing can be seen.
std::string bar(double begin, double end, int width);

struct Stretch {
  double share = 0;  // of the whole
  Tint tint = Tint::dim;
};
// One after the other; what is left of `width` characters is a track.
std::string stacked_bar(const std::vector<Stretch>& parts, int width, Colours colours);

// A line of `width` small columns, of the last values.
std::string sparkline(const std::vector<double>& values, int width);

}  // namespace ferry
