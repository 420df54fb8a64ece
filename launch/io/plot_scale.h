#pragma once
// One axis of a plot: where a value stands, and which values get a tick.

#include <string>
#include <vector>

#include "launch/io/svg_plot.h"

namespace ferry {

class PlotScale {
 public:
  // Covers `values` (those that the axis can show) and ends at ticks.
  PlotScale(const PlotAxis& axis, const std::vector<double>& values);

  bool shows(double value) const;
  double fraction(double value) const;  // 0 at the axis's beginning, 1 at its end
  const std::vector<double>& ticks() const { return ticks_; }
  std::string label_of(double tick) const;

 private:
  double position(double value) const;  // linear along the axis

  PlotAxis::Scale scale_;
  PlotAxis::Unit unit_;
  std::vector<double> ticks_;  // ascending, at least two
};

}  // namespace ferry
