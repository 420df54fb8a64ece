// Queries and keys that turn, and keys and values on their way into pages. How values are rounded there, and sequences
// of all kinds: attention_test.cc.

#include <algorithm>

#include "tests/kernels/ops_fixture.h"

namespace ferry {
namespace {

// Rows of sequences of one row each, some of them padding, over pages of f32.
struct Rows {
  Rows(Random& random, const RotateAndStore& with) : p(with), head_dim(p.kv.head_dim) {
    const int n_rows = random.between(0, 7);
    for (int i = 0; i < p.n_rotated / 2; ++i)
      frequencies.push_back(std::pow(1e4f, -2.0f * static_cast<float>(i) / static_cast<float>(p.n_rotated)));
    for (int r = 0; r < n_rows; ++r) {
      positions.push_back(random.between(0, 4) == 0 ? -1 : random.between(0, 1 << random.between(1, 17)));
      row_begin.push_back(r + 1);
      page_begin.push_back(positions.back() < 0 ? page_begin.back() : page_begin.back() + 1);
      if (positions.back() >= 0) pages.push_back(n_rows - 1 - r);
    }
    q = random.normals(n_rows * p.n_q_heads * head_dim);
    k = random.normals(n_rows * p.kv.n_heads * head_dim);
    v = random.normals(n_rows * p.kv.n_heads * head_dim);
    q_norm = random.normals(head_dim);
    k_norm = random.normals(head_dim);
    memory.assign(2 * k.size(), kUntouched);
    lay_out(n_rows);
  }

  // A page is as long as any context, and all its tokens lie at one place: only one of each is stored.
  void lay_out(int n_rows) {
    const size_t token_bytes = sizeof(float) * static_cast<size_t>(head_dim);
    p.kv.base = reinterpret_cast<std::byte*>(memory.data());
    p.kv.v_bytes = token_bytes;
    p.kv.head_bytes = 2 * token_bytes;
    p.kv.page_bytes = static_cast<size_t>(p.kv.n_heads) * p.kv.head_bytes;
    p.kv.token_bytes = 0;
    p.kv.page_tokens = 1 << 20;
    p.batch = {n_rows,
               n_rows,
               positions.data(),
               row_begin.data(),
               page_begin.data(),
               pages.data(),
               static_cast<int>(pages.size()),
               1};
  }

  // Heads of one row as they should be, of n_heads a row.
  Doubles turned(const Floats& x, const float* norm, int row, int n_heads) const {
    const auto n = static_cast<size_t>(n_heads * head_dim);
    Doubles out(x.begin() + static_cast<int64_t>(n) * row, x.begin() + static_cast<int64_t>(n) * (row + 1));
    for (int h = 0; h < n_heads; ++h) turn(&out[static_cast<size_t>(h * head_dim)], norm, positions[row]);
    return out;
  }

  void turn(double* head, const float* norm, int position) const {
    double squares = 0;
    for (int i = 0; i < head_dim; ++i) squares += head[i] * head[i];
    const double root = std::sqrt(squares / head_dim + static_cast<double>(p.epsilon));
    for (int i = 0; i < head_dim && norm != nullptr; ++i) head[i] *= static_cast<double>(norm[i]) / root;
    const int n_pairs = p.n_rotated / 2;
    for (int i = 0; i < n_pairs; ++i) {
      const double angle = position * static_cast<double>(frequencies[i]);
      double& a = head[p.pairs == RopePairs::halves ? i : 2 * i];
      double& b = head[p.pairs == RopePairs::halves ? i + n_pairs : 2 * i + 1];
      const double x = a, y = b;
      a = x * std::cos(angle) - y * std::sin(angle);
      b = x * std::sin(angle) + y * std::cos(angle);
    }
  }

  static constexpr float kUntouched = 77;

  RotateAndStore p;
  const int head_dim;
  std::vector<int> positions, row_begin = {0}, page_begin = {0}, pages;
  Floats frequencies, q, k, v, q_norm, k_norm;
  Floats memory;  // [page][head][k|v][head_dim]
};

class RotationContract : public OpsContract {
 protected:
  void expect_exact(Rows& rows) {
    RotateAndStore p = rows.p;
    Floats q = rows.q, k = rows.k;
    p.q = q.data();
    p.k = k.data();
    p.v = rows.v.data();
    p.inverse_frequencies = rows.frequencies.data();
    ops().rotate_and_store(p);
    size_t page = 0;
    for (int r = 0; r < p.batch.n_rows; ++r) {
      if (rows.positions[r] < 0) continue;
      expect_row(q, rows.turned(rows.q, p.q_norm, r, p.n_q_heads), r);
      expect_page(rows, rows.pages[page++], rows.turned(rows.k, p.k_norm, r, p.kv.n_heads), r);
    }
    EXPECT_EQ(std::ranges::count(rows.memory, Rows::kUntouched),
              static_cast<int64_t>(rows.memory.size() - page * static_cast<size_t>(2 * p.kv.n_heads * rows.head_dim)))
        << "pages of padding";
  }

 private:
  static constexpr double kTolerance = 5e-7;  // of values up to about eight, from three roundings

  static void expect_row(const Floats& x, const Doubles& want, int row) {
    const auto begin = x.begin() + static_cast<int64_t>(want.size()) * row;
    expect_near(Floats(begin, begin + static_cast<int64_t>(want.size())), want, Doubles(want.size(), 8), kTolerance);
  }

  static void expect_page(const Rows& rows, int page, const Doubles& keys, int row) {
    const auto n = static_cast<size_t>(rows.head_dim);
    for (size_t h = 0; h * n < keys.size(); ++h) {
      const float* at = &rows.memory[2 * (static_cast<size_t>(page) * keys.size() + h * n)];
      const Doubles want(&keys[h * n], &keys[h * n] + n);
      expect_near(Floats(at, at + n), want, Doubles(n, 8), kTolerance);
      const float* values = &rows.v[static_cast<size_t>(row) * keys.size() + h * n];
      ASSERT_EQ(Floats(at + n, at + 2 * n), Floats(values, values + n)) << "values of row " << row;
    }
  }
};

TEST_P(RotationContract, EachPairTurnsByItsPositionAndFrequencyAndKeysGoIntoTheirPages) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    RotateAndStore p;
    p.kv.head_dim = random.one_of({64, 80, 96, 128, 256});
    p.kv.n_heads = random.between(1, 3);
    p.n_q_heads = p.kv.n_heads * random.one_of({1, 3, 4});
    p.n_rotated = random.between(0, 1) ? p.kv.head_dim : 2 * random.between(0, p.kv.head_dim / 2);
    p.pairs = random.one_of({RopePairs::interleaved, RopePairs::halves});
    p.epsilon = 1e-5f;
    Rows rows(random, p);
    SCOPED_TRACE(testing::Message() << "seed " << seed << ", turned " << p.n_rotated << " of " << p.kv.head_dim);
    if (seed % 3 == 0) {
      rows.p.q_norm = rows.q_norm.data();
      rows.p.k_norm = rows.k_norm.data();
    }
    expect_exact(rows);
    if (HasFatalFailure()) return;
  }
}

FERRY_FOR_EVERY_IMPLEMENTATION(RotationContract);

}  // namespace
}  // namespace ferry
