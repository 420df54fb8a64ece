// Keys and values into pages, and attention over them.

#include <algorithm>
#include <bit>
#include <cstring>
#include <numbers>
#include <numeric>

#include "core/base/half.h"
#include "tests/kernels/ops_fixture.h"

namespace ferry {
namespace {

float rounded(KvDtype dtype, float value) {
  if (dtype == KvDtype::f32) return value;
  return dtype == KvDtype::f16 ? f32_of_f16(f16_of_f32(value)) : f32_of_bf16(bf16_of_f32(value));
}

struct Shape {
  int head_dim = 64;
  int n_kv_heads = 1;
  std::vector<int> kv_head_of;  // [n_q_heads]
  int page_tokens = 16;
  KvDtype dtype = KvDtype::f32;
  std::vector<int> past;  // [n_sequences] tokens before this batch
  std::vector<int> rows;  // [n_sequences] tokens of this batch
};

// Sequences whose keys and values are known as plain arrays, beside the pages that an Ops fills and reads. Pages are
// shuffled, hold other heads' and layers' bytes between them, and start as bytes that are not numbers.
class PagedBatch {
 public:
  PagedBatch(const Shape& shape, Random& random) : shape_(shape), random_(random) {
    lay_out_pages();
    row_begin_.push_back(0);
    for (size_t s = 0; s < shape.rows.size(); ++s) {
      for (int r = 0; r < shape.rows[s]; ++r) positions_.push_back(shape.past[s] + r);
      row_begin_.push_back(static_cast<int>(positions_.size()));
      const int n_values = (shape.past[s] + shape.rows[s]) * token_values();
      keys_.push_back(random.normals(n_values));
      values_.push_back(random.normals(n_values));
    }
  }

  KvLayer kv() {
    const size_t token_bytes = bytes_of(shape_.dtype) * static_cast<size_t>(shape_.head_dim);
    const size_t v_bytes = token_bytes * static_cast<size_t>(shape_.page_tokens);
    return {pages_bytes_.data() + kLayerOffset,
            page_bytes_,
            2 * v_bytes,
            v_bytes,
            token_bytes,
            shape_.page_tokens,
            shape_.n_kv_heads,
            shape_.head_dim,
            shape_.dtype};
  }
  int token_values() const { return shape_.n_kv_heads * shape_.head_dim; }
  int n_rows() const { return row_begin_.back(); }

  BatchView batch() const {
    return {n_rows(),           static_cast<int>(shape_.rows.size()),
            positions_.data(),  row_begin_.data(),
            page_begin_.data(), pages_.data(),
            page_begin_.back(), shape_.rows.empty() ? 0 : *std::ranges::max_element(shape_.rows)};
  }

  // The past first, as a batch of its own, then this batch.
  void write(Ops& ops) {
    std::vector<int> positions, row_begin = {0};
    Floats k, v;
    for (size_t s = 0; s < shape_.past.size(); ++s) {
      for (int t = 0; t < shape_.past[s]; ++t) positions.push_back(t);
      row_begin.push_back(static_cast<int>(positions.size()));
      k.insert(k.end(), keys_[s].begin(), keys_[s].begin() + shape_.past[s] * token_values());
      v.insert(v.end(), values_[s].begin(), values_[s].begin() + shape_.past[s] * token_values());
    }
    BatchView past = batch();
    past.n_rows = row_begin.back();
    past.positions = positions.data();
    past.row_begin = row_begin.data();
    ops.rotate_and_store({.k = k.data(), .v = v.data(), .kv = kv(), .batch = past});
    k.clear();
    v.clear();
    for (size_t s = 0; s < shape_.past.size(); ++s) {
      k.insert(k.end(), keys_[s].begin() + shape_.past[s] * token_values(), keys_[s].end());
      v.insert(v.end(), values_[s].begin() + shape_.past[s] * token_values(), values_[s].end());
    }
    ops.rotate_and_store({.k = k.data(), .v = v.data(), .kv = kv(), .batch = batch()});
  }

  void expect_written() {
    const KvLayer layer = kv();
    for (size_t s = 0; s < keys_.size(); ++s) {
      for (int t = 0; t < shape_.past[s] + shape_.rows[s]; ++t) {
        for (int h = 0; h < shape_.n_kv_heads; ++h) {
          const int page = pages_[static_cast<size_t>(page_begin_[s] + t / shape_.page_tokens)];
          const std::byte* at = layer.base + static_cast<size_t>(page) * layer.page_bytes +
                                static_cast<size_t>(h) * layer.head_bytes +
                                static_cast<size_t>(t % shape_.page_tokens) * layer.token_bytes;
          const auto from = static_cast<size_t>(t * token_values() + h * shape_.head_dim);
          expect_token(at, &keys_[s][from]);
          expect_token(at + layer.v_bytes, &values_[s][from]);
        }
      }
    }
  }

  // Where attention rounds queries to the cache's type, it does so with the scale and log₂ e in them.
  Doubles exact(Floats q, float scale, bool rounds_queries) const {
    constexpr float kLog2OfE = 1.44269504f;
    for (float& value : q) value = rounds_queries ? rounded(shape_.dtype, value * (scale * kLog2OfE)) : value;
    const double base_2 = rounds_queries ? 1 : static_cast<double>(scale) * std::numbers::log2e;
    Doubles out;
    const int n_q_heads = static_cast<int>(shape_.kv_head_of.size());
    for (size_t s = 0; s < keys_.size(); ++s) {
      for (int r = row_begin_[s]; r < row_begin_[s + 1]; ++r) {
        for (int h = 0; h < n_q_heads; ++h) {
          const Doubles head =
              exact_head(s, positions_[static_cast<size_t>(r)], shape_.kv_head_of[static_cast<size_t>(h)],
                         &q[static_cast<size_t>((r * n_q_heads + h) * shape_.head_dim)], base_2);
          out.insert(out.end(), head.begin(), head.end());
        }
      }
    }
    return out;
  }

 private:
  static constexpr size_t kLayerOffset = 4096;  // another layer's bytes come first in a page

  void lay_out_pages() {
    page_begin_.push_back(0);
    for (size_t s = 0; s < shape_.rows.size(); ++s) {
      const int n_tokens = shape_.past[s] + shape_.rows[s];
      page_begin_.push_back(page_begin_.back() + (n_tokens + shape_.page_tokens - 1) / shape_.page_tokens);
    }
    pages_.resize(static_cast<size_t>(page_begin_.back()));
    std::iota(pages_.begin(), pages_.end(), 1);
    for (size_t i = pages_.size(); i > 1; --i) {
      std::swap(pages_[i - 1], pages_[static_cast<size_t>(random_.between(0, static_cast<int>(i) - 1))]);
    }
    page_bytes_ =
        2 * kLayerOffset + 2 * bytes_of(shape_.dtype) * static_cast<size_t>(token_values() * shape_.page_tokens);
    pages_bytes_.assign((pages_.size() + 1) * page_bytes_, std::byte{0xff});
  }

  void expect_token(const std::byte* at, const float* want) const {
    for (int i = 0; i < shape_.head_dim; ++i) {
      if (shape_.dtype == KvDtype::f32) {
        ASSERT_EQ(std::memcmp(at + 4 * i, want + i, 4), 0);
      } else {
        const uint16_t half = shape_.dtype == KvDtype::f16 ? f16_of_f32(want[i]) : bf16_of_f32(want[i]);
        ASSERT_EQ(std::memcmp(at + 2 * i, &half, 2), 0) << want[i];
      }
    }
  }

  Doubles exact_head(size_t s, int position, int kv_head, const float* q, double scale) const {
    const auto at = [&](int token, int i) {
      return static_cast<size_t>(token * token_values() + kv_head * shape_.head_dim + i);
    };
    Doubles scores;
    for (int t = 0; t <= position; ++t) {
      double sum = 0;
      for (int i = 0; i < shape_.head_dim; ++i) {
        sum += static_cast<double>(q[i]) * static_cast<double>(rounded(shape_.dtype, keys_[s][at(t, i)]));
      }
      scores.push_back(sum * scale);
    }
    const double largest = *std::ranges::max_element(scores);
    Doubles out(static_cast<size_t>(shape_.head_dim));
    double total = 0;
    for (int t = 0; t <= position; ++t) {
      const double weight = std::exp2(scores[static_cast<size_t>(t)] - largest);
      total += weight;
      for (int i = 0; i < shape_.head_dim; ++i) {
        out[static_cast<size_t>(i)] += weight * static_cast<double>(rounded(shape_.dtype, values_[s][at(t, i)]));
      }
    }
    for (double& value : out) value /= total;
    return out;
  }

  Shape shape_;
  Random& random_;
  size_t page_bytes_ = 0;
  std::vector<int> pages_, page_begin_, row_begin_, positions_;
  std::vector<Floats> keys_, values_;  // [n_sequences][n_tokens, n_kv_heads, head_dim]
  std::vector<std::byte> pages_bytes_;
};

Shape random_shape(Random& random) {
  Shape shape;
  shape.head_dim = random.one_of({64, 80, 96, 128, 256, 36, 72});
  shape.n_kv_heads = random.between(1, 3);
  const int group = random.one_of({1, 3, 4, 8, 17});
  for (int h = 0; h < shape.n_kv_heads * group; ++h) shape.kv_head_of.push_back(h / group);
  shape.page_tokens = random.one_of({1, 5, 16, 24, 64});
  shape.dtype = random.one_of({KvDtype::f32, KvDtype::f16, KvDtype::bf16});
  for (int s = random.between(1, 4); s > 0; --s) {
    shape.past.push_back(random.one_of({0, 0, 1, shape.page_tokens, random.between(0, 200)}));
    shape.rows.push_back(random.one_of({1, 1, 2, shape.page_tokens, random.between(0, 90)}));
  }
  return shape;
}

class AttentionContract : public OpsContract {
 protected:
  Floats attention(PagedBatch& paged, const Shape& shape, const Floats& q, float scale) {
    Floats out(q.size(), NAN);
    ops().attention({q.data(), out.data(), shape.kv_head_of.data(), static_cast<int>(shape.kv_head_of.size()), scale,
                     paged.kv(), paged.batch()});
    return out;
  }

  bool rounds(const Shape& shape) const {
    return GetParam().rounds_attention && shape.dtype != KvDtype::f32 && shape.head_dim % 8 == 0;
  }

  // Weights that are rounded to 8 or 11 bits are off by 2⁻⁹ or 2⁻¹² of their values, so their mean of values is off by
  // that of the largest value at most: about four here.
  void expect_exact(const Shape& shape, Random& random, float q_scale = 1, double tolerance = 2e-6) {
    PagedBatch paged(shape, random);
    paged.write(ops());
    paged.expect_written();
    const Floats q =
        random.normals(static_cast<int64_t>(shape.kv_head_of.size()) * paged.n_rows() * shape.head_dim, q_scale);
    const float scale = 1 / std::sqrt(static_cast<float>(shape.head_dim));
    const Doubles want = paged.exact(q, scale, rounds(shape));
    const double of_weights = !rounds(shape) ? 0 : shape.dtype == KvDtype::f16 ? 0x1p-12 : 0x1p-9;
    expect_near(attention(paged, shape, q, scale), want, Doubles(want.size(), 4), tolerance + of_weights);
  }
};

TEST_P(AttentionContract, EveryRowSeesItsSequenceUpToItself) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    const Shape shape = random_shape(random);
    expect_exact(shape, random);
    if (HasFatalFailure()) return;
  }
}

constexpr KvDtype kDtypes[] = {KvDtype::f32, KvDtype::f16, KvDtype::bf16};

TEST_P(AttentionContract, OneTokenMayTakeAllTheWeight) {
  for (const KvDtype dtype : kDtypes) {
    Random random(5);
    Shape shape{.kv_head_of = {0, 0, 0}, .dtype = dtype, .past = {300, 300}, .rows = {20, 1}};
    expect_exact(shape, random, 30, 2e-5);  // scores of about a hundred, as f32
  }
}

TEST_P(AttentionContract, ASequenceMayEndWhereverItsKeysAreSharedOut) {
  for (const KvDtype dtype : kDtypes) {
    Random random(9);
    Shape shape{.kv_head_of = {0, 0},
                .dtype = dtype,
                .past = {254, 255, 256, 257, 511, 512, 3, 13, 14, 15, 16, 63, 64},
                .rows = {1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1}};
    expect_exact(shape, random);
  }
}

// So long that its spans are, too: there are no more than some for many heads.
TEST_P(AttentionContract, ASequenceMayBeLong) {
  Random random(12);
  Shape shape{.head_dim = 8, .n_kv_heads = 17, .dtype = KvDtype::f16, .past = {4300}, .rows = {1}};
  for (int h = 0; h < shape.n_kv_heads; ++h) shape.kv_head_of.push_back(h);
  expect_exact(shape, random);
}

TEST_P(AttentionContract, HeadsMayBeMappedUnevenly) {
  for (const KvDtype dtype : kDtypes) {
    Random random(6);
    Shape shape{.n_kv_heads = 3, .kv_head_of = {0, 1, 1, 1, 1, 2, 2}, .dtype = dtype, .past = {10, 0}, .rows = {1, 60}};
    expect_exact(shape, random);
  }
}

TEST_P(AttentionContract, ManyHeadsMayReadOne) {
  for (const KvDtype dtype : kDtypes) {
    Random random(13);
    Shape shape{.kv_head_of = std::vector<int>(71), .dtype = dtype, .past = {40, 5}, .rows = {1, 3}};
    expect_exact(shape, random);
  }
}

TEST_P(AttentionContract, ABatchOfNoSequencesIsDone) {
  Random random(7);
  expect_exact({.kv_head_of = {0}, .past = {}, .rows = {}}, random);
}

// A batch of one row a sequence, and the same with padding, as graphs have it: counts are no less than what there is.
struct PaddedBatch {
  PaddedBatch(const BatchView& batch, int n_rows, int n_more_pages)
      : positions(batch.positions, batch.positions + batch.n_rows),
        row_begin(batch.row_begin, batch.row_begin + batch.n_rows + 1),
        page_begin(batch.page_begin, batch.page_begin + batch.n_rows + 1),
        pages(batch.pages, batch.pages + batch.n_pages) {
    for (int r = batch.n_rows; r < n_rows; ++r) {
      positions.push_back(-1);
      row_begin.push_back(r + 1);
      page_begin.push_back(page_begin.back());
    }
    pages.insert(pages.end(), static_cast<size_t>(n_more_pages), 0);
  }

  BatchView view() const {
    const int n_rows = static_cast<int>(positions.size()), n_pages = static_cast<int>(pages.size());
    return {n_rows, n_rows, positions.data(), row_begin.data(), page_begin.data(), pages.data(), n_pages, 1};
  }

  std::vector<int> positions, row_begin, page_begin, pages;
};

TEST_P(AttentionContract, PaddingGetsZerosAndTheOthersWhatTheyGetWithoutIt) {
  for (const KvDtype dtype : kDtypes) {
    Random random(10);
    Shape shape{.n_kv_heads = 2, .kv_head_of = {0, 0, 1, 1}, .dtype = dtype, .past = {20, 300, 1}, .rows = {1, 1, 1}};
    PagedBatch paged(shape, random);
    paged.write(ops());
    const int row_values = static_cast<int>(shape.kv_head_of.size()) * shape.head_dim;
    const Floats q = random.normals(36 * row_values);
    Floats alone(static_cast<size_t>(3 * row_values), NAN);
    Attention p{q.data(), alone.data(), shape.kv_head_of.data(), 4, 0.125f, paged.kv(), paged.batch()};
    ops().attention(p);
    for (const auto& [n_rows, n_more_pages] : {std::pair(5, 64), std::pair(36, 0), std::pair(4, 60000)}) {
      const PaddedBatch batch(paged.batch(), n_rows, n_more_pages);
      Floats padded(static_cast<size_t>(n_rows * row_values), NAN);
      p.batch = batch.view();
      p.out = padded.data();
      ops().attention(p);
      Floats want = alone;
      want.resize(padded.size(), 0);
      EXPECT_EQ(padded, want) << n_rows << " rows";
    }
  }
}

TEST_P(AttentionContract, ARowGetsTheSameWhateverIsBesideIt) {
  for (const KvDtype dtype : kDtypes) {
    Random random(14);
    const Shape shape{.kv_head_of = {0, 0, 0}, .dtype = dtype, .past = {700, 20, 90, 300}, .rows = {1, 40, 1, 7}};
    PagedBatch paged(shape, random);
    paged.write(ops());
    const BatchView whole = paged.batch();
    const int row_values = 3 * shape.head_dim;
    const Floats q = random.normals(whole.n_rows * row_values);
    const Floats all = attention(paged, shape, q, 0.125f);
    for (int s = 0; s < whole.n_sequences; ++s) {
      const int first = whole.row_begin[s], n_rows = whole.row_begin[s + 1] - first;
      const std::vector<int> row_begin = {0, n_rows}, page_begin = {0, whole.page_begin[s + 1] - whole.page_begin[s]};
      const BatchView alone{n_rows,
                            1,
                            whole.positions + first,
                            row_begin.data(),
                            page_begin.data(),
                            whole.pages + whole.page_begin[s],
                            page_begin[1],
                            n_rows};
      Floats out(static_cast<size_t>(n_rows * row_values), NAN);
      ops().attention(
          {q.data() + first * row_values, out.data(), shape.kv_head_of.data(), 3, 0.125f, paged.kv(), alone});
      EXPECT_EQ(out, Floats(all.begin() + first * row_values, all.begin() + (first + n_rows) * row_values)) << s;
    }
  }
}

TEST_P(AttentionContract, ARowSeesTheSameWhereverItsChunkBegan) {
  constexpr int kRows = 270;
  for (const KvDtype dtype : {KvDtype::f32, KvDtype::f16}) {
    Random random(8);
    const Shape whole{.n_kv_heads = 2, .kv_head_of = {0, 0, 0, 1, 1, 1}, .dtype = dtype, .past = {0}, .rows = {kRows}};
    PagedBatch paged(whole, random);
    paged.write(ops());
    const int row_values = static_cast<int>(whole.kv_head_of.size()) * whole.head_dim;
    const Floats q = random.normals(kRows * row_values);
    const Floats all = attention(paged, whole, q, 0.125f);
    for (const auto& [begin, end] :
         {std::pair(0, 100), std::pair(100, kRows), std::pair(kRows - 1, kRows), std::pair(64, 71)}) {
      BatchView part = paged.batch();
      const std::vector<int> row_begin = {0, end - begin};
      part.n_rows = end - begin;
      part.positions += begin;
      part.row_begin = row_begin.data();
      part.most_rows = end - begin;
      Floats out(static_cast<size_t>((end - begin) * row_values), NAN);
      ops().attention(
          {q.data() + begin * row_values, out.data(), whole.kv_head_of.data(), 6, 0.125f, paged.kv(), part});
      const Floats want(all.begin() + begin * row_values, all.begin() + end * row_values);
      if (end - begin > 1 || !rounds(whole)) {
        EXPECT_EQ(out, want) << begin;
      } else {
        // A row that is alone in its sequence has its keys in another order, and its rounded weights other bases.
        expect_near(out, Doubles(want.begin(), want.end()), Doubles(want.size(), 4), 0x1p-11);
      }
    }
  }
}

TEST_P(AttentionContract, CacheTypesRoundToTheNearestEven) {
  const Floats hard = {1.0f + 0x1p-11f, 1.0f + 0x1.8p-10f, 0x1p-25f, 0x1.8p-24f,  65519.9f, 65520.0f,
                       1.0f + 0x1p-8f,  1.0f + 0x1.8p-7f,  -0.0f,    1e-40f,      3e38f,    INFINITY,
                       -INFINITY,       -65504.0f,         0x1p-14f, 0x1.ffcp-15f};
  for (const KvDtype dtype : {KvDtype::f16, KvDtype::bf16}) {
    std::vector<uint16_t> page(2 * hard.size());
    const size_t bytes = 2 * hard.size();
    const KvLayer kv{reinterpret_cast<std::byte*>(page.data()),
                     2 * bytes,
                     2 * bytes,
                     bytes,
                     bytes,
                     1,
                     1,
                     static_cast<int>(hard.size()),
                     dtype};
    const std::vector<int> zero = {0}, begin = {0, 1};
    Floats keys = hard;
    ops().rotate_and_store({.k = keys.data(),
                            .v = hard.data(),
                            .kv = kv,
                            .batch = {1, 1, zero.data(), begin.data(), begin.data(), zero.data(), 1, 1}});
    for (size_t i = 0; i < hard.size(); ++i) {
      const uint16_t want = dtype == KvDtype::f16 ? f16_of_f32(hard[i]) : bf16_of_f32(hard[i]);
      EXPECT_EQ(page[i], want) << hard[i];
      EXPECT_EQ(page[hard.size() + i], want) << hard[i];
    }
  }
}

TEST_P(AttentionContract, AnyBitsRoundAsTheOneDefinitionSays) {
  Random random(11);
  constexpr int kHeadDim = 250, kRows = 400;
  Floats values;
  std::vector<int> positions, pages;
  for (int i = 0; i < kRows * kHeadDim; ++i)
    values.push_back(std::bit_cast<float>(static_cast<uint32_t>(random.bits())));
  for (int r = 0; r < kRows; ++r) positions.push_back(r), pages.push_back(r);
  const std::vector<int> row_begin = {0, kRows};
  for (const KvDtype dtype : {KvDtype::f16, KvDtype::bf16}) {
    std::vector<uint16_t> memory(2 * values.size());
    const KvLayer kv{reinterpret_cast<std::byte*>(memory.data()),
                     4 * kHeadDim,
                     4 * kHeadDim,
                     2 * kHeadDim,
                     2 * kHeadDim,
                     1,
                     1,
                     kHeadDim,
                     dtype};
    Floats keys = values;
    ops().rotate_and_store(
        {.k = keys.data(),
         .v = values.data(),
         .kv = kv,
         .batch = {kRows, 1, positions.data(), row_begin.data(), row_begin.data(), pages.data(), kRows, kRows}});
    for (size_t i = 0; i < values.size(); ++i) {
      if (std::isnan(values[i])) continue;
      const uint16_t want = dtype == KvDtype::f16 ? f16_of_f32(values[i]) : bf16_of_f32(values[i]);
      ASSERT_EQ(memory[i / kHeadDim * 2 * kHeadDim + i % kHeadDim], want) << values[i];
    }
  }
}

FERRY_FOR_EVERY_IMPLEMENTATION(AttentionContract);

}  // namespace
}  // namespace ferry
