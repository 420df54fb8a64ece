// Attention over pages of 16 tokens in bf16. Of decoding, what counts is the keys and values that are read; of prompts,
// the products below the diagonal.

#include <algorithm>
#include <numeric>
#include <random>

#include "core/base/error.h"
#include "tests/gpu/bench.h"

namespace ferry::gpu {

namespace {

struct Heads {
  int n_q = 32;
  int n_kv = 8;
  int dim = 128;
};

struct Case {
  Heads heads;
  int n_sequences = 1;
  int n_tokens = 0;  // of a sequence
  int n_rows = 1;    // of them, the last ones
};

constexpr int kPageTokens = 16;

// A layer's pages in random order, and the arrays of a batch.
class PagedCase {
 public:
  PagedCase(Bench& bench, const Case& c) : case_(c), bench_(bench) {
    const int pages_each = (c.n_tokens + kPageTokens - 1) / kPageTokens, n_pages = pages_each * c.n_sequences;
    std::vector<int> pages(static_cast<size_t>(n_pages)), row_begin, page_begin, positions, kv_head_of;
    std::iota(pages.begin(), pages.end(), 0);
    std::ranges::shuffle(pages, std::mt19937(5));
    for (int s = 0; s <= c.n_sequences; ++s) row_begin.push_back(s * c.n_rows), page_begin.push_back(s * pages_each);
    for (int r = 0; r < n_rows(); ++r) positions.push_back(c.n_tokens - c.n_rows + r % c.n_rows);
    for (int h = 0; h < c.heads.n_q; ++h) kv_head_of.push_back(h * c.heads.n_kv / c.heads.n_q);
    Device& device = bench.device();
    pages_ = {device, pages};
    row_begin_ = {device, row_begin};
    page_begin_ = {device, page_begin};
    positions_ = {device, positions};
    kv_head_of_ = {device, kv_head_of};
    q_ = bench.random_floats(static_cast<size_t>(n_rows() * c.heads.n_q * c.heads.dim), 6);
    out_ = {device, q_.size()};
    const size_t token_bytes = 2 * static_cast<size_t>(c.heads.dim), v_bytes = token_bytes * kPageTokens;
    kv_ = {.page_bytes = 2 * v_bytes * static_cast<size_t>(c.heads.n_kv),
           .head_bytes = 2 * v_bytes,
           .v_bytes = v_bytes,
           .token_bytes = token_bytes,
           .page_tokens = kPageTokens,
           .n_heads = c.heads.n_kv,
           .head_dim = c.heads.dim,
           .dtype = KvDtype::bf16};
    copies_ = std::min(bench.copies_of(kv_bytes()), std::max(1, static_cast<int>(kMostBytes / kv_bytes())));
    fill(static_cast<size_t>(n_pages) * kv_.page_bytes);
    batch_ = {n_rows(),           c.n_sequences, positions_.data(), row_begin_.data(),
              page_begin_.data(), pages_.data(), n_pages,           c.n_rows};
  }

  double ms() {
    return bench_.ms_of([&](int i) {
      KvLayer kv = kv_;
      kv.base = bytes_.data() + static_cast<size_t>(i % copies_) * copy_bytes_;
      bench_.ops().attention({.q = q_.data(),
                              .out = out_.data(),
                              .kv_head_of = kv_head_of_.data(),
                              .n_q_heads = case_.heads.n_q,
                              .scale = 0.088f,
                              .kv = kv,
                              .batch = batch_});
    });
  }

  double kv_bytes() const { return 4.0 * case_.heads.n_kv * case_.heads.dim * case_.n_tokens * case_.n_sequences; }
  double flops() const {  // what rows see, once
    const double seen = case_.n_rows * (case_.n_tokens - (case_.n_rows - 1) / 2.0) * case_.n_sequences;
    return 4.0 * case_.heads.n_q * case_.heads.dim * seen;
  }

 private:
  static constexpr double kMostBytes = 24e9;

  int n_rows() const { return case_.n_sequences * case_.n_rows; }

  // Normal values, all pages alike.
  void fill(size_t n_bytes) {
    copy_bytes_ = n_bytes;
    bytes_ = {bench_.device(), n_bytes * static_cast<size_t>(copies_)};
    std::mt19937 random(7);
    std::vector<uint16_t> values(size_t{8} << 20);
    for (uint16_t& value : values) value = static_cast<uint16_t>((random() & 0x80ff) | 0x3f00);
    const size_t piece = values.size() * sizeof(uint16_t);
    for (size_t at = 0; at < bytes_.size(); at += piece)
      bench_.device().upload(bytes_.data() + at, values.data(), std::min(piece, bytes_.size() - at));
  }

  const Case case_;
  Bench& bench_;
  KvLayer kv_;
  BatchView batch_;
  DeviceArray<int> pages_, row_begin_, page_begin_, positions_, kv_head_of_;
  DeviceArray<float> q_, out_;
  DeviceArray<std::byte> bytes_;
  size_t copy_bytes_ = 0;
  int copies_ = 1;
};

std::string name_of(const Heads& heads) { return str(heads.n_q, "/", heads.n_kv, " heads of ", heads.dim); }

void bench_decode(Bench& bench, const Case& c) {
  const std::string name = str(c.n_sequences, " x ", c.n_tokens, " tokens, ", name_of(c.heads));
  if (!bench.wants("decode attention", name)) return;
  PagedCase paged(bench, c);
  bench.report("decode attention", name, paged.ms(), {.bytes = paged.kv_bytes()});
}

void bench_prompt(Bench& bench, const Case& c, double limit) {
  const std::string name = str(c.n_rows, " of ", c.n_tokens, " tokens, ", name_of(c.heads));
  if (!bench.wants("prompt attention", name)) return;
  PagedCase paged(bench, c);
  bench.report("prompt attention", name, paged.ms(), {.flops = paged.flops(), .limit = limit});
}

}  // namespace

void bench_attention(Bench& bench) {
  const Heads gqa, mha = {32, 32, 128}, narrow = {32, 8, 64}, wide = {16, 4, 256};
  for (const int n_tokens : {1024, 8192, 32768}) {
    for (const int n_sequences : {1, 8, 64}) bench_decode(bench, {gqa, n_sequences, n_tokens});
  }
  for (const Heads& heads : {mha, narrow, wide}) {
    bench_decode(bench, {heads, 1, 8192});
    bench_decode(bench, {heads, 16, 8192});
  }
  bench_decode(bench, {{8, 1, 128}, 1, 32768});  // a rank of eight
  if (!bench.wants("prompt attention", "tokens")) return;
  const double limit = bench.gemm_tflop_s(8192, 8192, 8192);
  for (const int n_tokens : {512, 2048, 4096, 8192}) bench_prompt(bench, {gqa, 1, n_tokens, n_tokens}, limit);
  for (const Heads& heads : {mha, narrow, wide}) bench_prompt(bench, {heads, 1, 4096, 4096}, limit);
  bench_prompt(bench, {gqa, 1, 8192, 512}, limit);  // a chunk with a past
}

}  // namespace ferry::gpu
