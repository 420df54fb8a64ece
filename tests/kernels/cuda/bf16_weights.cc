// Weights that are made bf16 when they are prepared. What is expected is made of the file's values, each rounded.

#include <algorithm>

#include "kernels/cuda/cuda_ops.h"
#include "tests/kernels/file_matrix.h"

namespace ferry {
namespace {

Floats rounded(Floats values) {
  for (float& value : values) value = f32_of_bf16(bf16_of_f32(value));
  return values;
}

// Scratch memory for all rows of a weight at once, and for no more than the 16 that a part has at least.
class Bf16Weights : public testing::TestWithParam<size_t> {
 protected:
  void SetUp() override {
    if (!why_no_cuda().empty()) GTEST_SKIP() << why_no_cuda();
  }

  static std::unique_ptr<Ops> ops_with(Products products) {
    return make_cuda_ops({.products = products, .weights = Weights::bf16, .product_scratch_bytes = GetParam()});
  }
};

// y of the products of x [n_rows, columns of w].
Floats products_of(Ops& ops, const Weight& w, const Floats& x, int n_rows) {
  const DeviceArray<float> there(ops.device(), x);
  Floats y(static_cast<size_t>(n_rows) * static_cast<size_t>(w.n_rows()));
  const DeviceArray<float> results(ops.device(), y.size());
  ops.matmul({.w = &w, .x = there.data(), .y = results.data(), .bias = nullptr, .n_rows = n_rows});
  ops.device().download(y.data(), results.data(), y.size() * sizeof(float));
  return y;
}

void expect_rounded_products(Ops& ops, const MatrixSlice& slice, const Floats& x, int n_rows) {
  const std::unique_ptr<Weight> w = ops.prepare(slice);
  EXPECT_EQ(w->n_rows(), slice.n_rows());
  EXPECT_EQ(w->n_cols(), slice.n_cols());
  const auto n_in = static_cast<size_t>(slice.n_cols()), n_out = static_cast<size_t>(slice.n_rows());
  Doubles want(n_out * static_cast<size_t>(n_rows)), sizes(want.size());
  Floats weights(n_in);
  for (size_t o = 0; o < n_out; ++o) {
    dequantize_row(slice, static_cast<int>(o), weights);
    weights = rounded(weights);
    for (size_t r = 0; r < static_cast<size_t>(n_rows); ++r) {
      for (size_t i = 0; i < n_in; ++i) {
        const double product = static_cast<double>(weights[i]) * static_cast<double>(x[r * n_in + i]);
        want[r * n_out + o] += product;
        sizes[r * n_out + o] += std::abs(product);
      }
    }
  }
  // Of f32 sums, as a card's tensor cores cut them off. A weight that was not rounded is off by up to 2⁻⁹ of it.
  expect_near(products_of(ops, *w, x, n_rows), want, sizes, 5e-6);
}

TEST_P(Bf16Weights, OfEveryFormatAndShapeGiveTheProductsOfTheRoundedValues) {
  const std::unique_ptr<Ops> ops = ops_with(Products::bf16);
  for (const TensorType type : kTypes) {
    for (const int n_rows : {1, 9, 40, 70, 200}) {
      const uint64_t seed = static_cast<uint64_t>(type) * 1000 + static_cast<uint64_t>(n_rows);
      SCOPED_TRACE(testing::Message() << format_of(type).name << ", " << n_rows << " rows, seed " << seed);
      Random random(seed);
      const int block = format_of(type).block_values;
      const FileMatrix matrix(type, random.between(1, 60), block * random.between(1, 600 / std::max(block, 32)),
                              random);
      expect_rounded_products(*ops, matrix.all(), rounded(random.normals(n_rows * matrix.all().n_cols())), n_rows);
    }
  }
}

TEST_P(Bf16Weights, OfAShardThatBeginsInsideABlockGiveTheProductsOfTheRoundedValues) {
  for (const Products products : {Products::f32, Products::bf16}) {
    const std::unique_ptr<Ops> ops = ops_with(products);
    for (const TensorType type : kTypes) {
      for (const int n_rows : {3, 100}) {
        const uint64_t seed = static_cast<uint64_t>(type) * 1000 + static_cast<uint64_t>(n_rows);
        SCOPED_TRACE(testing::Message() << format_of(type).name << ", seed " << seed);
        Random random(seed);
        const FileMatrix matrix(type, 70, 768, random);
        const MatrixSlice slice = matrix.part(random);
        const Floats x = random.normals(n_rows * slice.n_cols());
        expect_rounded_products(*ops, slice, products == Products::bf16 ? rounded(x) : x, n_rows);
      }
    }
  }
}

TEST_P(Bf16Weights, AreTwoBytesAValue) {
  const std::unique_ptr<Ops> ops = ops_with(Products::bf16);
  for (const TensorType type : kTypes) {
    SCOPED_TRACE(format_of(type).name);
    Random random(2);
    const FileMatrix matrix(type, 64, 768, random);
    EXPECT_EQ(ops->prepare(matrix.all())->bytes(), size_t{64} * 768 * 2);
  }
}

Floats embedded(Ops& ops, const Weight& table, int row) {
  const DeviceArray<int> tokens(ops.device(), std::vector<int>{row});
  Floats values(static_cast<size_t>(table.n_cols()));
  const DeviceArray<float> out(ops.device(), values.size());
  ops.embed({.table = &table, .tokens = tokens.data(), .out = out.data(), .n_rows = 1});
  ops.device().download(values.data(), out.data(), values.size() * sizeof(float));
  return values;
}

// A model's output matrix may be its embedding, too.
TEST_P(Bf16Weights, AreRoundedAsAnEmbeddingAndATableThatIsNothingElseIsNot) {
  const std::unique_ptr<Ops> ops = ops_with(Products::bf16);
  for (const TensorType type : kTypes) {
    SCOPED_TRACE(format_of(type).name);
    Random random(3);
    const FileMatrix matrix(type, 50, 512, random);
    const std::unique_ptr<Weight> output = ops->prepare(matrix.all()), table = ops->prepare_table(matrix.all());
    Floats values(512);
    for (const int row : {0, 17, 49}) {
      dequantize_row(matrix.all(), row, values);
      EXPECT_EQ(embedded(*ops, *output, row), rounded(values));
      EXPECT_EQ(embedded(*ops, *table, row), values);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Scratch, Bf16Weights, testing::Values(size_t{8} << 20, size_t{1} << 10));

}  // namespace
}  // namespace ferry
