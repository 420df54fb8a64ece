#include "launch/bench/allreduce_bench.h"

#include <algorithm>
#include <chrono>

namespace ferry {

namespace {

// Whole numbers, so that every order of adding has the same sum.
float value_of(size_t i, int rank) { return static_cast<float>((i + 3 * static_cast<size_t>(rank)) % 64); }

}  // namespace

AllReduceTimes AllReduceBench::measure(const AllReduceWay& way, size_t n_values, int n_repeats) {
  AllReduceTimes times = {.seconds = {}, .correct = sums_right(way, n_values)};
  const DeviceArray<float> values(device_, std::vector<float>(n_values));
  constexpr double kLongEnough = 2e-3;  // seconds, of a repeat: a launch alone is too short to be timed
  constexpr int kMostSums = 64;
  // Rank 0's clock decides for all.
  std::string n_sums = std::to_string(std::clamp(
      static_cast<int>(kLongEnough / std::max(seconds_of(way, {values.data(), n_values}, 2), 1e-9)), 1, kMostSums));
  group_.broadcast(n_sums, [] {});
  for (int repeat = 0; repeat < n_repeats; ++repeat)
    times.seconds.push_back(seconds_of(way, {values.data(), n_values}, std::stoi(n_sums)));
  return times;
}

bool AllReduceBench::sums_right(const AllReduceWay& way, size_t n_values) {
  std::vector<float> mine(n_values), sum(n_values);
  for (size_t i = 0; i < n_values; ++i) {
    mine[i] = value_of(i, group_.rank());
    for (int rank = 0; rank < group_.size(); ++rank) sum[i] += value_of(i, rank);
  }
  const DeviceArray<float> values(device_, mine);
  way.sum({values.data(), n_values});
  device_.download(mine.data(), values.data(), n_values * sizeof(float));
  return mine == sum;
}

double AllReduceBench::seconds_of(const AllReduceWay& way, std::span<float> values, int n_sums) {
  const auto wait = [&] {
    float waited_for = 0;
    device_.download(&waited_for, values.data(), sizeof waited_for);
  };
  way.sum(values);  // the ranks start together
  wait();
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < n_sums; ++i) way.sum(values);
  wait();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / n_sums;
}

}  // namespace ferry
