// Times the CPU's kernels at the shapes of SmolLM2-135M (Q4_1, its vocabulary Q8_0) and prints their share of what this
// machine can do, measured between them. For tuning: kernels_bench [n_threads] [portable|avx2|avx512]
// [matmul|attention|rows]

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <limits>
#include <numeric>
#include <random>
#include <string_view>
#include <vector>

#include "core/base/half.h"
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/limits.h"

namespace ferry {
namespace {

constexpr int kLayers = 30, kWidth = 576, kFfn = 1536, kVocabulary = 49152, kQHeads = 9, kKvHeads = 3, kHeadDim = 64;

int n_threads = 1;

// Of the processor, shared out over the threads: neighbours on a busy machine do not count, waiting for each other
// does.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec)) / n_threads;
}

template <class F>
double best_seconds(int n_runs, const F& f) {
  double best = std::numeric_limits<double>::infinity();
  for (int run = 0; run < n_runs; ++run) {
    const double start = cpu_seconds();
    f();
    best = std::min(best, cpu_seconds() - start);
  }
  return best;
}

std::unique_ptr<Weight> random_weight(Ops& ops, TensorType type, int n_rows, int n_cols) {
  const TensorFormat& format = format_of(type);
  const auto row_bytes = static_cast<size_t>(n_cols / format.block_values * format.block_bytes);
  std::vector<std::byte> bytes(static_cast<size_t>(n_rows) * row_bytes);
  std::minstd_rand random(1);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() >> 8);
  const uint16_t scale = f16_of_f32(0.01f), minimum = f16_of_f32(-0.08f);
  for (size_t at = 0; at < bytes.size(); at += static_cast<size_t>(format.block_bytes)) {
    std::memcpy(&bytes[at], &scale, sizeof scale);
    if (type == TensorType::q4_1) std::memcpy(&bytes[at + 2], &minimum, sizeof minimum);
  }
  return ops.prepare({{type, bytes.data(), n_rows, n_cols, row_bytes}, 0, n_rows, 0, n_cols});
}

std::vector<float> random_values(int64_t n) {
  std::vector<float> values(static_cast<size_t>(n));
  std::minstd_rand random(2);
  for (float& value : values) value = static_cast<float>(random() % 2001) / 1000 - 1;
  return values;
}

struct Matrices {
  std::vector<std::unique_ptr<Weight>> layers;
  std::unique_ptr<Weight> output;
};

Matrices model_matrices(Ops& ops) {
  Matrices matrices;
  constexpr int kKv = kKvHeads * kHeadDim;
  constexpr std::pair<int, int> kShapes[] = {{kWidth, kWidth}, {kKv, kWidth},  {kKv, kWidth}, {kWidth, kWidth},
                                             {kFfn, kWidth},   {kFfn, kWidth}, {kWidth, kFfn}};
  for (int layer = 0; layer < kLayers; ++layer) {
    for (const auto& [n_out, n_in] : kShapes) {
      matrices.layers.push_back(random_weight(ops, TensorType::q4_1, n_out, n_in));
    }
  }
  matrices.output = random_weight(ops, TensorType::q8_0, kVocabulary, kWidth);
  return matrices;
}

void print(const char* what, double seconds, double gflop, double gb, const CpuLimits& limits) {
  std::printf("  %-28s %9.2f ms  %6.1f GFLOP/s (%3.0f %%)  %5.1f GB/s (%3.0f %%)\n", what, seconds * 1e3,
              gflop / seconds, 100 * gflop / seconds / limits.f32_gflop_s, gb / seconds,
              100 * gb / seconds / limits.read_gb_s);
}

double gflop_of(const Weight& w) { return 2e-9 * w.n_rows() * w.n_cols(); }
double gb_of(const Weight& w) { return 1e-9 * static_cast<double>(w.bytes()); }

void time_matmuls(Ops& ops, const Matrices& matrices, int n_rows) {
  const std::vector<float> x = random_values(int64_t{n_rows} * kFfn);
  const int n_logits = n_rows > 64 ? 1 : n_rows;  // a prompt needs only its last token's
  std::vector<float> y(static_cast<size_t>(std::max(n_rows * kFfn, n_logits * kVocabulary)));
  double gflop = 0, gb = 0;
  for (const auto& w : matrices.layers) gflop += n_rows * gflop_of(*w), gb += gb_of(*w);
  const int n_runs = n_rows > 64 ? 3 : n_rows > 8 ? 6 : 15;
  const CpuLimits limits = measure_cpu_limits(n_threads);
  const double layers = best_seconds(n_runs, [&] {
    for (const auto& w : matrices.layers) ops.matmul({w.get(), x.data(), y.data(), nullptr, n_rows});
  });
  const double output = best_seconds(n_runs, [&] {
    ops.matmul({matrices.output.get(), x.data(), y.data(), nullptr, n_logits});
  });
  std::printf("%d rows: %.0f tokens/s (limits %.0f GFLOP/s, %.1f GB/s)\n", n_rows, n_rows / (layers + output),
              limits.f32_gflop_s, limits.read_gb_s);
  print("layers q4_1", layers, gflop, gb, limits);
  print("output q8_0", output, n_logits * gflop_of(*matrices.output), gb_of(*matrices.output), limits);
}

// `n_sequences` sequences of `past` tokens, each with `n_rows` more.
void time_attention(Ops& ops, KvDtype dtype, int n_sequences, int past, int n_rows) {
  constexpr int kPageTokens = 16;
  const int n_tokens = past + n_rows, sequence_pages = (n_tokens + kPageTokens - 1) / kPageTokens;
  const size_t token_bytes = bytes_of(dtype) * kHeadDim, head_bytes = 2 * token_bytes * kPageTokens;
  const size_t layer_bytes = head_bytes * kKvHeads, page_bytes = layer_bytes * kLayers;
  std::vector<std::byte> memory(static_cast<size_t>(n_sequences * sequence_pages) * page_bytes);
  std::vector<int> pages(static_cast<size_t>(n_sequences * sequence_pages)), page_begin, row_begin, positions;
  std::iota(pages.begin(), pages.end(), 0);
  std::ranges::shuffle(pages, std::minstd_rand(3));
  for (int s = 0; s <= n_sequences; ++s) {
    page_begin.push_back(s * sequence_pages);
    row_begin.push_back(s * n_rows);
    for (int r = 0; r < n_rows && s < n_sequences; ++r) positions.push_back(past + r);
  }
  constexpr int kHeadOf[] = {0, 0, 0, 1, 1, 1, 2, 2, 2};
  const std::vector<float> q = random_values(int64_t{n_sequences} * n_rows * kQHeads * kHeadDim);
  std::vector<float> out(q.size());
  const double seconds = best_seconds(n_rows > 1 ? 3 : 10, [&] {
    for (size_t layer = 0; layer < kLayers; ++layer) {
      const KvLayer kv{memory.data() + layer * layer_bytes,
                       page_bytes,
                       head_bytes,
                       head_bytes / 2,
                       token_bytes,
                       kPageTokens,
                       kKvHeads,
                       kHeadDim,
                       dtype};
      ops.attention(
          {q.data(),
           out.data(),
           kHeadOf,
           kQHeads,
           0.125f,
           kv,
           {n_sequences * n_rows, n_sequences, positions.data(), row_begin.data(), page_begin.data(), pages.data()}});
    }
  });
  const double seen = static_cast<double>(n_sequences) * n_rows * (past + (n_rows + 1) / 2.0);
  std::printf("  %3d × %4d tokens after %4d, %4s %9.2f ms  %6.1f GFLOP/s  %5.1f GB/s\n", n_sequences, n_rows, past,
              name_of(dtype).data(), seconds * 1e3, seen * kLayers * kQHeads * kHeadDim * 4e-9 / seconds,
              1e-9 * n_sequences * n_tokens * static_cast<double>(kLayers * kKvHeads * 2 * token_bytes) / seconds);
}

void time_rows(Ops& ops, int n_rows) {
  std::vector<float> x = random_values(int64_t{n_rows} * kFfn), y = x, out = x, weight = random_values(kWidth);
  std::vector<int> positions(static_cast<size_t>(n_rows));
  std::iota(positions.begin(), positions.end(), 100);
  std::vector<float> frequencies;
  for (int i = 0; i < kHeadDim / 2; ++i)
    frequencies.push_back(std::pow(1e5f, -2.0f * static_cast<float>(i) / kHeadDim));
  const auto line = [&](const char* what, const auto& f) {
    std::printf("  %-28s %9.3f ms\n", what, kLayers * 1e3 * best_seconds(20, f));
  };
  std::printf("%d rows, %d times\n", n_rows, kLayers);
  line("rms_norm", [&] { ops.rms_norm({x.data(), weight.data(), y.data(), n_rows, kWidth, 1e-5f}); });
  const std::vector<int> row_begin = {0, n_rows}, page_begin = {0, 1}, pages = {0};
  const RotateAndStore queries = {
      .q = x.data(),
      .inverse_frequencies = frequencies.data(),
      .n_rotated = kHeadDim,
      .n_q_heads = kQHeads,
      .kv = {.page_tokens = 1 << 20, .head_dim = kHeadDim},
      .batch = {n_rows, 1, positions.data(), row_begin.data(), page_begin.data(), pages.data(), 1, n_rows}};
  line("rotation of queries", [&] { ops.rotate_and_store(queries); });
  line("silu", [&] { ops.gated_activation({y.data(), y.data(), x.data(), int64_t{n_rows} * kFfn, Activation::silu}); });
  line("add and norm", [&] {
    ops.add_and_norm({x.data(), y.data(), nullptr, weight.data(), out.data(), n_rows, kWidth, 1e-5f});
  });
}

SimdLevel level_of(std::string_view name) {
  for (const SimdLevel level : {SimdLevel::portable, SimdLevel::avx2, SimdLevel::avx512}) {
    if (name_of(level) == name && cpu_has(level)) return level;
  }
  std::fprintf(stderr, "no such level on this CPU\n");
  std::exit(1);
}

void time_matmuls(Ops& ops) {
  const Matrices matrices = model_matrices(ops);
  for (const int n_rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 32, 512}) time_matmuls(ops, matrices, n_rows);
}

void time_attention(Ops& ops) {
  std::printf("attention, %d layers\n", kLayers);
  for (const KvDtype dtype : {KvDtype::f32, KvDtype::f16}) {
    time_attention(ops, dtype, 1, 127, 1);
    time_attention(ops, dtype, 1, 1023, 1);
    time_attention(ops, dtype, 8, 1023, 1);
    time_attention(ops, dtype, 1, 0, 512);
  }
}

void time_rows(Ops& ops) {
  time_rows(ops, 1);
  time_rows(ops, 512);
}

void run(SimdLevel level, std::string_view what) {
  const std::unique_ptr<Ops> ops = make_cpu_ops(n_threads, level);
  std::printf("%s\n", ops->name().c_str());
  if (what.empty() || what == "matmul") time_matmuls(*ops);
  if (what.empty() || what == "attention") time_attention(*ops);
  if (what.empty() || what == "rows") time_rows(*ops);
}

}  // namespace
}  // namespace ferry

int main(int argc, char** argv) {
  ferry::n_threads = argc > 1 ? std::max(1, std::atoi(argv[1])) : 1;
  ferry::run(argc > 2 ? ferry::level_of(argv[2]) : ferry::best_simd_level(), argc > 3 ? argv[3] : "");
}
