#pragma once
// A test that runs once for each implementation, and random inputs for it.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "tests/kernels/implementations.h"

namespace ferry {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  int between(int low, int high) { return std::uniform_int_distribution(low, high)(engine_); }
  float normal() { return std::normal_distribution<float>()(engine_); }
  uint64_t bits() { return engine_(); }
  template <class T>
  T one_of(std::initializer_list<T> values) {
    return values.begin()[between(0, static_cast<int>(values.size()) - 1)];
  }
  Floats normals(int64_t n, float scale = 1) {
    Floats values(static_cast<size_t>(n));
    for (float& value : values) value = normal() * scale;
    return values;
  }

 private:
  std::mt19937_64 engine_;
};

class OpsContract : public testing::TestWithParam<Implementation> {
 protected:
  void SetUp() override {
    if (!GetParam().missing.empty()) GTEST_SKIP() << GetParam().name << ": " << GetParam().missing;
    ops_ = GetParam().make();
  }
  Ops& ops() { return *ops_; }

 private:
  std::unique_ptr<Ops> ops_;
};

#define FERRY_FOR_EVERY_IMPLEMENTATION(suite)                                                      \
  INSTANTIATE_TEST_SUITE_P(Every, suite, testing::ValuesIn(implementations()), [](const auto& p) { \
    std::string name = p.param.name;                                                               \
    for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';                \
    return name;                                                                                   \
  })

// Each value within `tolerance` times the size of the numbers that were summed to make it.
inline void expect_near(const Floats& got, const Doubles& want, const Doubles& sizes, double tolerance) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(static_cast<double>(got[i]), want[i], tolerance * sizes[i]) << "value " << i << " of " << got.size();
  }
}

}  // namespace ferry
