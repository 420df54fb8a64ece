// Products with matrices of every format, and rows of them as embeddings.

#include "tests/kernels/file_matrix.h"
#include "tests/kernels/ops_fixture.h"

namespace ferry {
namespace {

struct Products {
  Doubles values;  // [n_rows, n_out]
  Doubles sizes;   // sums of absolute products
};

Products exact_products(const MatrixSlice& w, const Floats& x, const Floats& bias, int n_rows) {
  const auto n_in = static_cast<size_t>(w.n_cols()), n_out = static_cast<size_t>(w.n_rows());
  Products products{Doubles(n_out * static_cast<size_t>(n_rows)), Doubles(n_out * static_cast<size_t>(n_rows))};
  Floats weights(n_in);
  for (size_t o = 0; o < n_out; ++o) {
    dequantize_row(w, static_cast<int>(o), weights);
    for (size_t r = 0; r < static_cast<size_t>(n_rows); ++r) {
      double sum = bias.empty() ? 0 : static_cast<double>(bias[o]), size = std::abs(sum);
      for (size_t i = 0; i < n_in; ++i) {
        const double product = static_cast<double>(weights[i]) * static_cast<double>(x[r * n_in + i]);
        sum += product;
        size += std::abs(product);
      }
      products.values[r * n_out + o] = sum;
      products.sizes[r * n_out + o] = size;
    }
  }
  return products;
}

class MatmulContract : public OpsContract {
 protected:
  Floats product(const Weight& w, const Floats& x, const Floats& bias, int n_rows) {
    Floats y(static_cast<size_t>(n_rows * w.n_rows()), NAN);
    ops().matmul({&w, x.data(), y.data(), bias.empty() ? nullptr : bias.data(), n_rows});
    return y;
  }

  void expect_exact(const MatrixSlice& slice, int n_rows, Random& random) {
    const Floats x = random.normals(n_rows * slice.n_cols());
    const Floats bias = random.between(0, 1) ? random.normals(slice.n_rows()) : Floats{};
    const std::unique_ptr<Weight> w = ops().prepare(slice);
    EXPECT_EQ(w->n_rows(), slice.n_rows());
    EXPECT_EQ(w->n_cols(), slice.n_cols());
    const Products want = exact_products(slice, x, bias, n_rows);
    // 1e-6 for f32 sums: each of n roundings is at most 2⁻²⁴ of a partial sum; in practice they cancel to a few in all.
    expect_near(product(*w, x, bias, n_rows), want.values, want.sizes, GetParam().product_tolerance);
  }
};

TEST_P(MatmulContract, EveryFormatGivesTheProductsOfItsDequantizedWeights) {
  for (const TensorType type : kTypes) {
    for (const int n_rows : {1, 2, 3, 4, 5, 7, 8, 9, 13, 40}) {
      const uint64_t seed = static_cast<uint64_t>(type) * 100 + static_cast<uint64_t>(n_rows);
      SCOPED_TRACE(testing::Message() << format_of(type).name << ", " << n_rows << " rows, seed " << seed);
      Random random(seed);
      const int block = format_of(type).block_values;
      const FileMatrix matrix(type, random.between(1, 90), block * random.between(1, 1200 / std::max(block, 32)),
                              random);
      expect_exact(matrix.all(), n_rows, random);
    }
  }
}

TEST_P(MatmulContract, ManyRowsGiveTheProductsOfTheDequantizedWeights) {
  for (const TensorType type : kTypes) {
    for (const int n_rows : {70, 200}) {
      SCOPED_TRACE(testing::Message() << format_of(type).name << ", " << n_rows << " rows");
      Random random(static_cast<uint64_t>(type));
      const FileMatrix matrix(type, random.between(30, 60), 512, random);
      MatrixSlice slice = matrix.all();
      slice.col_begin = random.one_of({0, 5, 64});
      expect_exact(slice, n_rows, random);
    }
  }
}

TEST_P(MatmulContract, ASliceMayBeginAndEndInsideABlock) {
  for (const TensorType type : kTypes) {
    for (uint64_t seed = 0; seed < 8; ++seed) {
      SCOPED_TRACE(testing::Message() << format_of(type).name << ", seed " << seed);
      Random random(seed);
      const FileMatrix matrix(type, 70, 768, random);
      const MatrixSlice slice = matrix.part(random);
      expect_exact(slice, random.one_of({1, 2, 6, 17}), random);
    }
  }
}

TEST_P(MatmulContract, ARowsProductsDoNotDependOnTheRowsBesideIt) {
  for (const TensorType type : kTypes) {
    SCOPED_TRACE(format_of(type).name);
    Random random(7);
    const FileMatrix matrix(type, 83, 768, random);
    MatrixSlice slice = matrix.all();
    slice.col_begin = 50;
    const std::unique_ptr<Weight> w = ops().prepare(slice);
    const int n_in = slice.n_cols(), n_out = slice.n_rows();
    const int n_all = std::min(100, GetParam().most_rows_alike);
    const Floats x = random.normals(n_all * n_in);
    const Floats all = product(*w, x, {}, n_all);
    for (const int n_rows : {1, 2, 3, 4, 5, 6, 7, 8, 11, 33}) {
      const int first = random.between(0, n_all - n_rows);
      const Floats some =
          product(*w, Floats(x.begin() + first * n_in, x.begin() + (first + n_rows) * n_in), {}, n_rows);
      EXPECT_EQ(some, Floats(all.begin() + first * n_out, all.begin() + (first + n_rows) * n_out)) << n_rows << " rows";
    }
  }
}

TEST_P(MatmulContract, ProductsOfOneXAreThoseOfEachAlone) {
  constexpr int kWidth = 512;
  const std::vector<std::pair<TensorType, int>> outs = {{TensorType::q4_k, 70},
                                                        {TensorType::q4_k, 33},
                                                        {TensorType::q6_k, 33},
                                                        {TensorType::bf16, 20},
                                                        {TensorType::q4_k, 1}};
  for (const int n_rows : {1, 12, 200}) {
    SCOPED_TRACE(n_rows);
    Random random(5);
    std::vector<FileMatrix> matrices;
    for (const auto& [type, n_out] : outs) matrices.emplace_back(type, n_out, kWidth, random);
    const Floats x = random.normals(n_rows * kWidth);
    std::vector<std::unique_ptr<Weight>> weights;
    std::vector<Floats> biases, together;
    std::vector<Matmul> products;
    for (const FileMatrix& matrix : matrices) {
      weights.push_back(ops().prepare(matrix.all()));
      biases.push_back(random.normals(weights.back()->n_rows()));
      together.emplace_back(static_cast<size_t>(n_rows * weights.back()->n_rows()), NAN);
    }
    for (size_t i = 0; i < weights.size(); ++i)
      products.push_back({weights[i].get(), x.data(), together[i].data(), i % 2 ? biases[i].data() : nullptr, n_rows});
    ops().matmul(products);
    for (size_t i = 0; i < weights.size(); ++i)
      EXPECT_EQ(together[i], product(*weights[i], x, i % 2 ? biases[i] : Floats{}, n_rows)) << i;
  }
}

TEST_P(MatmulContract, ProductsOfASumsNormAreThoseOfItsRows) {
  for (const TensorType type : kTypes) {
    for (const int n_rows : {0, 1, 9, 200}) {
      SCOPED_TRACE(testing::Message() << format_of(type).name << ", " << n_rows << " rows");
      Random random(static_cast<uint64_t>(type) * 1000 + static_cast<uint64_t>(n_rows));
      const int block = format_of(type).block_values, width = block * random.between(1, 600 / std::max(block, 32));
      const FileMatrix matrix(type, random.between(1, 40), width, random), other(type, 17, width, random);
      const FileMatrix any(type, 1, 768, random);
      const std::unique_ptr<Weight> w = ops().prepare(matrix.all()), v = ops().prepare(other.all()),
                                    wide = ops().prepare(any.all());
      const Floats y = random.normals(n_rows * width), weight = random.normals(width), y_weight = random.normals(width);
      const Floats bias = random.normals(17);
      Floats x = random.normals(n_rows * width), same_x = x, out(x.size(), NAN);
      AddAndNorm norm = {.x = x.data(),
                         .y = y.data(),
                         .y_weight = random.between(0, 1) ? y_weight.data() : nullptr,
                         .weight = weight.data(),
                         .out = out.data(),
                         .n_rows = n_rows,
                         .width = width,
                         .epsilon = 1e-5f};
      ops().add_and_norm(norm);
      const Floats want = product(*w, out, {}, n_rows), want_other = product(*v, out, bias, n_rows);

      norm.x = same_x.data();
      std::ranges::fill(out, NAN);
      product(*wide, Floats(static_cast<size_t>(n_rows * 768), NAN), {}, n_rows);  // what it leaves does not matter
      Floats got(want.size(), NAN), got_other(want_other.size(), NAN);
      ops().matmul_of(norm, std::array<Matmul, 2>{{{w.get(), out.data(), got.data(), nullptr, n_rows},
                                                   {v.get(), out.data(), got_other.data(), bias.data(), n_rows}}});
      EXPECT_EQ(same_x, x);
      EXPECT_EQ(got, want);
      EXPECT_EQ(got_other, want_other);
    }
  }
}

TEST_P(MatmulContract, ProductsOfAnActivationAreThoseOfItsRows) {
  for (const TensorType type : kTypes) {
    for (const int n_rows : {1, 9, 200}) {
      SCOPED_TRACE(testing::Message() << format_of(type).name << ", " << n_rows << " rows");
      Random random(static_cast<uint64_t>(type) * 1000 + static_cast<uint64_t>(n_rows));
      const FileMatrix matrix(type, random.between(1, 40), 768, random);
      MatrixSlice slice = matrix.all();
      slice.col_begin = random.one_of({0, 5, 64, 300});
      slice.col_end = random.between(slice.col_begin + 1, 768);
      const std::unique_ptr<Weight> w = ops().prepare(slice);
      const Floats up = random.normals(n_rows * slice.n_cols());
      Floats gate = random.normals(n_rows * slice.n_cols(), 10), out(gate.size());
      GatedActivation activation = {.gate = gate.data(),
                                    .up = up.data(),
                                    .out = out.data(),
                                    .n = static_cast<int64_t>(gate.size()),
                                    .activation = random.one_of({Activation::silu, Activation::gelu_tanh})};
      ops().gated_activation(activation);
      const Floats want = product(*w, out, {}, n_rows);

      activation.out = gate.data();
      Floats got(want.size(), NAN);
      const Matmul down = {w.get(), gate.data(), got.data(), nullptr, n_rows};
      ops().matmul_of(activation, {&down, 1});
      EXPECT_EQ(got, want);
    }
  }
}

TEST_P(MatmulContract, NoRowsAreNoProducts) {
  Random random(1);
  const FileMatrix matrix(TensorType::q4_1, 8, 64, random);
  const std::unique_ptr<Weight> w = ops().prepare(matrix.all());
  EXPECT_TRUE(product(*w, {}, {}, 0).empty());
}

TEST_P(MatmulContract, AnEmbeddingIsARowOfTheTableOrZerosWhereTheTableLacksIt) {
  for (const TensorType type : kTypes) {
    SCOPED_TRACE(format_of(type).name);
    Random random(3);
    const FileMatrix matrix(type, 50, 512, random);
    MatrixSlice slice = matrix.all();
    slice.row_begin = 10;
    const std::unique_ptr<Weight> table = ops().prepare(slice);
    const std::vector<int> tokens = {100, 139, 140, 99, 117, 0, 117};
    Floats out(tokens.size() * 512, NAN);
    ops().embed({table.get(), tokens.data(), out.data(), static_cast<int>(tokens.size()), 100, 0.5f});
    Floats row(512);
    for (size_t i = 0; i < tokens.size(); ++i) {
      std::ranges::fill(row, 0.0f);
      if (tokens[i] >= 100 && tokens[i] < 140) dequantize_row(slice, tokens[i] - 100, row);
      for (float& value : row) value *= 0.5f;
      EXPECT_EQ(Floats(out.begin() + static_cast<int64_t>(i) * 512, out.begin() + static_cast<int64_t>(i + 1) * 512),
                row);
    }
  }
}

FERRY_FOR_EVERY_IMPLEMENTATION(MatmulContract);

}  // namespace
}  // namespace ferry
