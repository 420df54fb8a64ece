#include "launch/io/plot_scale.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "launch/config/byte_size.h"

namespace ferry {
namespace {

constexpr int kMostTicks = 8;

// 1, 2 or 5 times a power of ten: the smallest such step that needs no more than the most ticks.
double nice_step(double span) {
  const double rough = span / (kMostTicks - 1);
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1, 2, 5}) {
    if (factor * power >= rough) return factor * power;
  }
  return 10 * power;
}

std::vector<double> linear_ticks(double low, double high) {
  if (low > 0 || high <= low) low = std::min(low, 0.0);
  if (high <= low) high = low + 1;
  const double step = nice_step(high - low);
  std::vector<double> ticks;
  const auto first = static_cast<int64_t>(std::floor(low / step + 1e-9));
  const auto last = static_cast<int64_t>(std::ceil(high / step - 1e-9));
  for (int64_t i = first; i <= last; ++i) ticks.push_back(static_cast<double>(i) * step);
  return ticks;
}

std::vector<double> log2_ticks(double low, double high) {
  const auto first = static_cast<int>(std::floor(std::log2(low) + 1e-9));
  const auto last = std::max(static_cast<int>(std::ceil(std::log2(high) - 1e-9)), first + 1);
  const int step = (last - first + kMostTicks - 1) / kMostTicks;
  std::vector<double> ticks;
  for (int i = first; i < last + step; i += step) ticks.push_back(std::exp2(i));
  return ticks;
}

// Powers of ten; between them 2 and 5 where there are few.
std::vector<double> log10_ticks(double low, double high) {
  const auto first = static_cast<int>(std::floor(std::log10(low) + 1e-9));
  const auto last = std::max(static_cast<int>(std::ceil(std::log10(high) - 1e-9)), first + 1);
  const bool is_short = last - first <= 2;
  std::vector<double> ticks;
  for (int i = first; i <= last; ++i) {
    for (const double factor : {1, 2, 5}) {
      if (factor == 1 || (is_short && i < last)) ticks.push_back(factor * std::pow(10, i));
    }
  }
  return ticks;
}

}  // namespace

PlotScale::PlotScale(const PlotAxis& axis, const std::vector<double>& values) : scale_(axis.scale), unit_(axis.unit) {
  std::vector<double> shown;
  std::ranges::copy_if(values, std::back_inserter(shown), [this](double value) { return shows(value); });
  const bool is_log = scale_ != PlotAxis::Scale::linear;
  if (shown.empty()) shown = {is_log ? 1.0 : 0.0};
  const auto [low, high] = std::ranges::minmax(shown);
  ticks_ = !is_log                           ? linear_ticks(low, high)
           : scale_ == PlotAxis::Scale::log2 ? log2_ticks(low, high)
                                             : log10_ticks(low, high);
}

bool PlotScale::shows(double value) const {
  return std::isfinite(value) && (scale_ == PlotAxis::Scale::linear || value > 0);
}

double PlotScale::fraction(double value) const {
  const double begin = position(ticks_.front());
  return (position(value) - begin) / (position(ticks_.back()) - begin);
}

std::string PlotScale::label_of(double tick) const {
  if (unit_ == PlotAxis::Unit::bytes) return byte_size_text(static_cast<size_t>(std::llround(std::max(tick, 0.0))));
  if (std::abs(tick) >= 1e6) return fmt::format("{:g}M", tick / 1e6);
  if (std::abs(tick) >= 1e4) return fmt::format("{:g}k", tick / 1e3);
  return fmt::format("{:g}", std::abs(tick) < 1e-12 ? 0 : tick);
}

double PlotScale::position(double value) const { return scale_ == PlotAxis::Scale::linear ? value : std::log2(value); }

}  // namespace ferry
