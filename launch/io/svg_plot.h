#pragma once
// Line plots as SVG, for --plot FILE.svg: readable in a browser, in a README and in print.

#include <string>
#include <vector>

namespace ferry {

struct PlotAxis {
  enum class Scale { linear, log2, log10 };
  enum class Unit { number, bytes };

  std::string label;  // with its unit: "latency, ms"
  Scale scale = Scale::linear;
  Unit unit = Unit::number;
};

struct PlotSeries {
  struct Point {
    double x = 0;
    double y = 0;
  };
  enum class Line { solid, dashed };  // dashed: a limit, not a measurement

  std::string name;
  std::vector<Point> points;  // in the order they are joined; what an axis cannot show (NaN, ≤ 0 on a log) is left out
  Line line = Line::solid;
};

struct Plot {
  std::string title;
  std::string subtitle;  // the machine, the model, what is held constant
  PlotAxis x;
  PlotAxis y;  // a linear one starts at 0 when no value is negative
  std::vector<PlotSeries> series;
};

std::string svg_of(const Plot& plot);

}  // namespace ferry
