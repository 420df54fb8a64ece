// Operations on one row at a time: norms, activation, sums, selection.

#include <numbers>

#include "tests/kernels/ops_fixture.h"

namespace ferry {
namespace {

class RowsContract : public OpsContract {};

Doubles exact_norms(const Doubles& x, const Floats& weight) {
  Doubles out;
  const size_t width = weight.size();
  for (size_t begin = 0; begin < x.size(); begin += width) {
    double squares = 0;
    for (size_t i = 0; i < width; ++i) squares += x[begin + i] * x[begin + i];
    const double root = std::sqrt(squares / static_cast<double>(width) + 1e-5);
    for (size_t i = 0; i < width; ++i) out.push_back(x[begin + i] / root * static_cast<double>(weight[i]));
  }
  return out;
}

TEST_P(RowsContract, AnRmsNormDividesByTheRootOfTheMeanSquare) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    const int n_rows = random.between(0, 9), width = random.one_of({random.between(1, 700), 2049, 9000});
    const Floats x = random.normals(n_rows * width, 5), weight = random.normals(width);
    const Doubles want = exact_norms({x.begin(), x.end()}, weight);
    Doubles sizes;
    for (const double value : want) sizes.push_back(std::abs(value));
    Floats out(x.size(), NAN);
    ops().rms_norm({x.data(), weight.data(), out.data(), n_rows, width, 1e-5f});
    expect_near(out, want, sizes, 1e-6);
    Floats in_place = x;
    ops().rms_norm({in_place.data(), weight.data(), in_place.data(), n_rows, width, 1e-5f});
    EXPECT_EQ(in_place, out);
  }
}

TEST_P(RowsContract, AGatedActivationIsTheActivationTimesUp) {
  for (const Activation activation : {Activation::silu, Activation::gelu_tanh}) {
    for (uint64_t seed = 0; seed < 8; ++seed) {
      SCOPED_TRACE(testing::Message() << "seed " << seed);
      Random random(seed);
      const int n = random.between(0, 3000);
      Floats gate = random.normals(n, random.one_of({1.0f, 10.0f, 100.0f}));
      const Floats up = random.normals(n);
      Doubles want, sizes;
      for (int i = 0; i < n; ++i) {
        const auto x = static_cast<double>(gate[i]);
        const double inner = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
        const double gated = activation == Activation::silu ? x / (1 + std::exp(-x)) : 0.5 * x * (1 + std::tanh(inner));
        want.push_back(gated * static_cast<double>(up[i]));
        sizes.push_back(std::abs(want.back()) + 1e-3 * std::abs(static_cast<double>(up[i])));
      }
      Floats out(gate.size(), NAN);
      ops().gated_activation({gate.data(), up.data(), out.data(), n, activation});
      expect_near(out, want, sizes, 3e-6);
      ops().gated_activation({gate.data(), up.data(), gate.data(), n, activation});
      EXPECT_EQ(gate, out);
    }
  }
}

TEST_P(RowsContract, AnActivationOfHugeValuesIsNotLost) {
  const Floats gate = {1e30f, -1e30f, 89, -89, 200, -200, 0}, up = {1, 1, 1, 1, 1, 1, 1};
  for (const Activation activation : {Activation::silu, Activation::gelu_tanh}) {
    Floats out(gate.size(), NAN);
    ops().gated_activation({gate.data(), up.data(), out.data(), static_cast<int64_t>(gate.size()), activation});
    expect_near(out, {1e30, 0, 89, 0, 200, 0, 0}, {1e30, 1, 89, 1, 200, 1, 1}, 1e-6);
  }
}

TEST_P(RowsContract, WhatIsAddedMayBeNormedFirstAndTheSumIsNormed) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    const int n_rows = random.between(0, 9), width = random.one_of({random.between(1, 700), 2049, 9000});
    const bool norms_y = seed % 2 == 1;
    Floats x = random.normals(n_rows * width, 5);
    const Floats y = random.normals(n_rows * width, 3), y_weight = random.normals(width),
                 weight = random.normals(width);
    Doubles sum(y.begin(), y.end()), sizes(x.size(), 20);
    if (norms_y) sum = exact_norms(sum, y_weight);
    for (size_t i = 0; i < x.size(); ++i) sum[i] += static_cast<double>(x[i]);
    Floats out(x.size(), NAN);
    ops().add_and_norm({.x = x.data(),
                        .y = y.data(),
                        .y_weight = norms_y ? y_weight.data() : nullptr,
                        .weight = weight.data(),
                        .out = out.data(),
                        .n_rows = n_rows,
                        .width = width,
                        .epsilon = 1e-5f});
    expect_near(x, sum, sizes, 1e-6);
    expect_near(out, exact_norms(sum, weight), sizes, 1e-6);
  }
}

TEST_P(RowsContract, SelectedRowsComeInTheOrderAskedFor) {
  Random random(1);
  const Floats x = random.normals(9 * 37);
  const std::vector<int> rows = {8, 0, 3, 3};
  Floats out(rows.size() * 37, NAN);
  ops().select_rows({x.data(), rows.data(), out.data(), static_cast<int>(rows.size()), 37});
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t c = 0; c < 37; ++c) ASSERT_EQ(out[i * 37 + c], x[static_cast<size_t>(rows[i]) * 37 + c]);
  }
}

FERRY_FOR_EVERY_IMPLEMENTATION(RowsContract);

}  // namespace
}  // namespace ferry
