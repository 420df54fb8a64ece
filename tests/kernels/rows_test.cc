// Operations on one row at a time: norm, rotation, activation, sums, selection.

#include <numbers>

#include "tests/kernels/ops_fixture.h"

namespace ferry {
namespace {

class RowsContract : public OpsContract {};

TEST_P(RowsContract, AnRmsNormDividesByTheRootOfTheMeanSquare) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    const int n_rows = random.between(0, 9), width = random.between(1, 700);
    const Floats x = random.normals(n_rows * width, 5), weight = random.normals(width);
    Doubles want, sizes;
    for (int r = 0; r < n_rows; ++r) {
      double squares = 0;
      for (int i = 0; i < width; ++i) squares += std::pow(static_cast<double>(x[r * width + i]), 2);
      const double root = std::sqrt(squares / width + 1e-5);
      for (int i = 0; i < width; ++i) {
        want.push_back(static_cast<double>(x[r * width + i]) / root * static_cast<double>(weight[i]));
        sizes.push_back(std::abs(want.back()));
      }
    }
    Floats out(x.size(), NAN);
    ops().rms_norm({x.data(), weight.data(), out.data(), n_rows, width, 1e-5f});
    expect_near(out, want, sizes, 1e-6);
    Floats in_place = x;
    ops().rms_norm({in_place.data(), weight.data(), in_place.data(), n_rows, width, 1e-5f});
    EXPECT_EQ(in_place, out);
  }
}

TEST_P(RowsContract, ARotationTurnsEachPairByItsPositionAndFrequency) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    const Rope shape{.n_rows = random.between(0, 7),
                     .n_heads = random.between(1, 9),
                     .head_dim = random.one_of({64, 80, 96, 128, 256}),
                     .pairs = random.one_of({RopePairs::interleaved, RopePairs::halves})};
    const int n_rotated = random.between(0, 1) ? shape.head_dim : 2 * random.between(1, shape.head_dim / 2);
    const int n_pairs = n_rotated / 2;
    SCOPED_TRACE(testing::Message() << "seed " << seed << ", rotated " << n_rotated << " of " << shape.head_dim);
    std::vector<int> positions;
    for (int r = 0; r < shape.n_rows; ++r) positions.push_back(random.between(0, 1 << random.between(1, 17)));
    Floats frequencies;
    for (int i = 0; i < n_pairs; ++i)
      frequencies.push_back(std::pow(1e4f, -2.0f * static_cast<float>(i) / static_cast<float>(n_rotated)));
    Floats x = random.normals(shape.n_rows * shape.n_heads * shape.head_dim);
    Doubles want(x.begin(), x.end()), sizes(x.size(), 4);
    for (int r = 0; r < shape.n_rows; ++r) {
      for (int h = 0; h < shape.n_heads; ++h) {
        double* head = &want[static_cast<size_t>((r * shape.n_heads + h) * shape.head_dim)];
        for (int i = 0; i < n_pairs; ++i) {
          const double angle = positions[r] * static_cast<double>(frequencies[i]);
          const int first = shape.pairs == RopePairs::halves ? i : 2 * i;
          const int second = shape.pairs == RopePairs::halves ? i + n_pairs : 2 * i + 1;
          const double a = head[first], b = head[second];
          head[first] = a * std::cos(angle) - b * std::sin(angle);
          head[second] = a * std::sin(angle) + b * std::cos(angle);
        }
      }
    }
    Rope p = shape;
    p.x = x.data();
    p.positions = positions.data();
    p.inverse_frequencies = frequencies.data();
    p.n_rotated = n_rotated;
    ops().rope(p);
    expect_near(x, want, sizes, 2e-7);
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

TEST_P(RowsContract, AddAddsEachValue) {
  for (const int n : {0, 1, 7, 8, 33, 5001}) {
    Random random(static_cast<uint64_t>(n));
    Floats x = random.normals(n);
    const Floats y = random.normals(n);
    Floats want = x;
    for (int i = 0; i < n; ++i) want[i] += y[i];
    ops().add({x.data(), y.data(), n});
    EXPECT_EQ(x, want) << n;
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
