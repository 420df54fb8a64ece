#include "launch/io/svg_plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "launch/io/plot_scale.h"

namespace ferry {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

PlotAxis axis(PlotAxis::Scale scale, PlotAxis::Unit unit = PlotAxis::Unit::number) {
  return {.label = "", .scale = scale, .unit = unit};
}

TEST(PlotScale, LinearTicksAreNiceNumbersFromZero) {
  EXPECT_THAT(PlotScale(axis(PlotAxis::Scale::linear), {3.2, 9.7}).ticks(), ElementsAre(0, 2, 4, 6, 8, 10));
  EXPECT_THAT(
      PlotScale(axis(PlotAxis::Scale::linear), {0.013}).ticks(),
      ElementsAre(0, DoubleNear(0.002, 1e-9), DoubleNear(0.004, 1e-9), DoubleNear(0.006, 1e-9), DoubleNear(0.008, 1e-9),
                  DoubleNear(0.01, 1e-9), DoubleNear(0.012, 1e-9), DoubleNear(0.014, 1e-9)));
  EXPECT_THAT(PlotScale(axis(PlotAxis::Scale::linear), {-5, 5}).ticks(), ElementsAre(-6, -4, -2, 0, 2, 4, 6));
}

TEST(PlotScale, LogTicksArePowers) {
  EXPECT_THAT(PlotScale(axis(PlotAxis::Scale::log2), {1, 8}).ticks(), ElementsAre(1, 2, 4, 8));
  EXPECT_THAT(PlotScale(axis(PlotAxis::Scale::log2), {1, 1 << 20}).ticks(),
              ElementsAre(1, 8, 64, 512, 4096, 32768, 262144, 2097152));
  EXPECT_THAT(PlotScale(axis(PlotAxis::Scale::log10), {0.1, 20}).ticks().size(), 4u);
  EXPECT_THAT(PlotScale(axis(PlotAxis::Scale::log10), {3, 30}).ticks(), ElementsAre(1, 2, 5, 10, 20, 50, 100));
}

TEST(PlotScale, ValuesStandWhereTheyBelong) {
  const PlotScale linear(axis(PlotAxis::Scale::linear), {10});
  EXPECT_DOUBLE_EQ(linear.fraction(0), 0);
  EXPECT_DOUBLE_EQ(linear.fraction(5), 0.5);
  EXPECT_DOUBLE_EQ(linear.fraction(10), 1);
  const PlotScale log(axis(PlotAxis::Scale::log2), {1, 16});
  EXPECT_DOUBLE_EQ(log.fraction(4), 0.5);
  EXPECT_FALSE(log.shows(0));
  EXPECT_FALSE(linear.shows(std::nan("")));
}

TEST(PlotScale, NoValuesOrOneValueStillMakeAnAxis) {
  for (const auto scale : {PlotAxis::Scale::linear, PlotAxis::Scale::log2, PlotAxis::Scale::log10}) {
    for (const std::vector<double>& values : {std::vector<double>{}, {0.0}, {7.0}, {std::nan("")}}) {
      const PlotScale made(axis(scale), values);
      ASSERT_GE(made.ticks().size(), 2u);
      EXPECT_LT(made.ticks().front(), made.ticks().back());
    }
  }
}

TEST(PlotScale, LabelsHaveUnits) {
  EXPECT_EQ(PlotScale(axis(PlotAxis::Scale::log2, PlotAxis::Unit::bytes), {1, 8}).label_of(65536), "64KiB");
  const PlotScale numbers(axis(PlotAxis::Scale::linear), {1});
  EXPECT_EQ(numbers.label_of(0.25), "0.25");
  EXPECT_EQ(numbers.label_of(20000), "20k");
  EXPECT_EQ(numbers.label_of(2.5e6), "2.5M");
}

TEST(SvgPlot, WordsAreEscapedAndPointsThatCannotBeShownAreLeftOut) {
  Plot plot;
  plot.title = "a < b & c";
  plot.x = axis(PlotAxis::Scale::log2);
  plot.series = {{.name = "measured", .points = {{0, 1}, {1, 2}, {2, std::nan("")}, {4, 3}}},
                 {.name = "limit", .points = {}, .line = PlotSeries::Line::dashed}};
  const std::string svg = svg_of(plot);
  EXPECT_THAT(svg, HasSubstr("a &lt; b &amp; c"));
  EXPECT_THAT(svg, HasSubstr(">measured</text>"));
  EXPECT_THAT(svg, HasSubstr("stroke-dasharray"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
  size_t n_markers = 0;
  for (size_t at = svg.find("<circle"); at != std::string::npos; at = svg.find("<circle", at + 1)) ++n_markers;
  EXPECT_EQ(n_markers, 2u);
}

}  // namespace
}  // namespace ferry
