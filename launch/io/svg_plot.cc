#include "launch/io/svg_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "launch/io/plot_scale.h"
#include "launch/io/printable.h"

namespace ferry {
namespace {

// Pixels.
constexpr double kWidth = 860;
constexpr double kHeight = 480;
constexpr double kTop = 78;
constexpr double kBottom = 62;
constexpr double kLeft = 78;
constexpr double kCharacter = 8;  // of a name, on average
constexpr double kLabelHeight = 18;
constexpr size_t kManyPoints = 64;  // a line with more has no markers

// Okabe and Ito's colours, which colour-blind readers can tell apart; the strong ones first.
constexpr std::array kColours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555"};

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::vector<double> values_of(const Plot& plot, double PlotSeries::Point::*coordinate) {
  std::vector<double> values;
  for (const PlotSeries& series : plot.series) {
    for (const PlotSeries::Point& point : series.points) values.push_back(point.*coordinate);
  }
  return values;
}

class Drawing {
 public:
  explicit Drawing(const Plot& plot)
      : plot_(plot),
        x_(plot.x, values_of(plot, &PlotSeries::Point::x)),
        y_(plot.y, values_of(plot, &PlotSeries::Point::y)) {
    size_t longest = 0;
    for (const PlotSeries& series : plot.series) longest = std::max(longest, n_characters(series.name));
    right_ = kWidth - 24 - kCharacter * static_cast<double>(longest);
  }

  std::string svg() {
    out_ =
        fmt::format(R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" height="{1}" )"
                    R"(font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif" font-size="13">)"
                    "\n"
                    R"(<rect width="{0}" height="{1}" fill="#ffffff"/>)"
                    "\n",
                    kWidth, kHeight);
    titles();
    axes();
    for (size_t i = 0; i < plot_.series.size(); ++i) line(plot_.series[i], kColours[i % kColours.size()]);
    names();
    return out_ + "</svg>\n";
  }

 private:
  double px(double x) const { return kLeft + x_.fraction(x) * (right_ - kLeft); }
  double py(double y) const { return kHeight - kBottom - y_.fraction(y) * (kHeight - kBottom - kTop); }

  void text(double x, double y, std::string_view attributes, std::string_view words) {
    out_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, attributes, escaped(words));
  }

  void titles() {
    text(kLeft, 32, R"(font-size="18" font-weight="600" fill="#1a1a1a")", plot_.title);
    text(kLeft, 53, R"(fill="#666666")", plot_.subtitle);
    text((kLeft + right_) / 2, kHeight - 16, R"(text-anchor="middle" fill="#444444")", plot_.x.label);
    const double middle = (kTop + kHeight - kBottom) / 2;
    const std::string upwards =
        fmt::format("text-anchor=\"middle\" fill=\"#444444\" transform=\"rotate(-90 20 {})\"", middle);
    text(20, middle, upwards, plot_.y.label);
  }

  void axes() {
    const double floor = kHeight - kBottom;
    for (const double tick : y_.ticks()) {
      const bool is_axis = tick == y_.ticks().front();
      out_ += fmt::format("<path d=\"M{:.1f} {:.1f}H{:.1f}\" stroke=\"{}\"/>\n", kLeft, py(tick), right_,
                          is_axis ? "#888888" : "#e6e6e6");
      text(kLeft - 9, py(tick) + 4.5, R"(text-anchor="end" fill="#444444")", y_.label_of(tick));
    }
    for (const double tick : x_.ticks()) {
      out_ += fmt::format("<path d=\"M{:.1f} {:.1f}v5\" stroke=\"#888888\"/>\n", px(tick), floor);
      text(px(tick), floor + 21, R"(text-anchor="middle" fill="#444444")", x_.label_of(tick));
    }
  }

  void line(const PlotSeries& series, std::string_view colour) {
    std::string path, markers;
    for (const PlotSeries::Point& point : series.points) {
      if (!x_.shows(point.x) || !y_.shows(point.y)) continue;
      const double x = px(point.x), y = py(point.y);
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x, y);
      markers += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.2\"/>", x, y);
    }
    const bool is_limit = series.line == PlotSeries::Line::dashed;
    out_ += fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\" stroke-linejoin=\"round\"{}/>\n",
                        path, colour, is_limit ? " stroke-dasharray=\"6 5\"" : "");
    if (is_limit || series.points.size() > kManyPoints) return;
    out_ += fmt::format("<g fill=\"{}\" stroke=\"#ffffff\" stroke-width=\"1\">{}</g>\n", colour, markers);
  }

  struct Name {
    std::string_view words;
    std::string_view colour;
    double y = 0;
  };

  // Each line's name stands at its end; names that would overlap move apart.
  void names() {
    std::vector<Name> names;
    for (size_t i = 0; i < plot_.series.size(); ++i) {
      const double y = end_of(plot_.series[i]);
      names.push_back({.words = plot_.series[i].name, .colour = kColours[i % kColours.size()], .y = y});
    }
    std::ranges::stable_sort(names, {}, &Name::y);
    for (size_t i = 1; i < names.size(); ++i) names[i].y = std::max(names[i].y, names[i - 1].y + kLabelHeight);
    double lowest = kHeight - kBottom;
    for (size_t i = names.size(); i-- > 0; lowest = names[i].y - kLabelHeight)
      names[i].y = std::min(names[i].y, lowest);
    for (const Name& name : names) {
      text(right_ + 10, name.y + 4.5, fmt::format("fill=\"{}\" font-weight=\"600\"", name.colour), name.words);
    }
  }

  double end_of(const PlotSeries& series) const {
    const auto shown = [this](const PlotSeries::Point& p) { return x_.shows(p.x) && y_.shows(p.y); };
    const auto last = std::find_if(series.points.rbegin(), series.points.rend(), shown);
    return last == series.points.rend() ? kHeight - kBottom : py(last->y);
  }

  const Plot& plot_;
  PlotScale x_;
  PlotScale y_;
  double right_ = 0;  // where the plot ends and the names begin
  std::string out_;
};

}  // namespace

std::string svg_of(const Plot& plot) { return Drawing(plot).svg(); }

}  // namespace ferry
