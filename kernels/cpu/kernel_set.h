#pragma once
// The functions that are compiled once for each instruction set. Each does a part of an operation, so that threads can
// share it out; what comes out does not depend on how it was cut.

#include <cstddef>
#include <cstdint>

#include "core/seam/ops.h"
#include "kernels/cpu/packed_format.h"

namespace ferry {

// A packed matrix as kernels see it. Columns are counted from the start of its first group.
struct PackedView {
  const std::byte* panels = nullptr;  // [n_panels][panel_bytes]
  size_t panel_bytes = 0;
  int n_rows = 0;
  int col_begin = 0;
  int col_end = 0;
};

struct PanelRange {
  int begin = 0;
  int end = 0;
};

struct EmbedTask {
  PackedView table;
  const Embed* p = nullptr;
  int row_begin = 0;
  int row_end = 0;
};

// Parts of RotateAndStore and AddAndNorm.
struct Rope {                                  // rotates in place
  float* x = nullptr;                          // [n_rows, n_heads, head_dim]
  const int* positions = nullptr;              // [n_rows]
  const float* inverse_frequencies = nullptr;  // [n_rotated / 2]
  int n_heads = 0;
  int head_dim = 0;
  int n_rotated = 0;
  RopePairs pairs = RopePairs::interleaved;
};

struct WriteKv {             // without the rows of padding
  const float* k = nullptr;  // [n_rows, n_heads, head_dim]
  const float* v = nullptr;  // [n_rows, n_heads, head_dim]
  KvLayer kv;
  BatchView batch;
};

struct Add {                 // x += y
  float* x = nullptr;        // [n]
  const float* y = nullptr;  // [n]
};

constexpr int kMaxHeadDim = 512;
constexpr int kBlockTokens = 64;  // attention goes over the keys in blocks that begin at multiples of it
constexpr int kBlockQueries = 96;

// Query heads [q_head_begin, q_head_end), all of one KV head, of rows [row_begin, row_end) of one sequence.
struct AttentionTask {
  const Attention* p = nullptr;
  int sequence = 0;
  int row_begin = 0;
  int row_end = 0;
  int q_head_begin = 0;
  int q_head_end = 0;
};

struct AttentionScratch {
  alignas(64) float q[kBlockQueries * kMaxHeadDim];        // [n_queries, head_dim]
  alignas(64) float out[kBlockQueries * kMaxHeadDim];      // [n_queries, head_dim up to whole vectors]
  alignas(64) float keys[kMaxHeadDim * kBlockTokens];      // [head_dim, kBlockTokens]: transposed
  alignas(64) float values[kBlockTokens * kMaxHeadDim];    // [kBlockTokens, head_dim up to whole vectors]
  alignas(64) float scores[kBlockQueries * kBlockTokens];  // [n_queries, kBlockTokens]
  float largest[kBlockQueries];                            // score so far
  float total[kBlockQueries];                              // of the weights so far
};

constexpr int kChains = 12;  // at least latency × units of a multiply-add, and no more than 16 registers hold

struct KernelSet {
  const char* name = nullptr;
  int lanes = 0;

  // By place in kPackedFormats.
  void (*matmul[kFormatCount])(const PackedView& w, const Matmul& p, PanelRange panels) = {};
  void (*embed[kFormatCount])(const EmbedTask& task) = {};

  void (*attention)(const AttentionTask& task, AttentionScratch& scratch) = nullptr;
  void (*write_kv)(const WriteKv& p, int sequence, int row_begin, int row_end) = nullptr;
  void (*rms_norm)(const RmsNorm& p, int row_begin, int row_end) = nullptr;
  void (*rope)(const Rope& p, int row_begin, int row_end) = nullptr;
  void (*gated_activation)(const GatedActivation& p, int64_t begin, int64_t end) = nullptr;
  void (*add)(const Add& p, int64_t begin, int64_t end) = nullptr;
  double (*sum_of_weights)(const float* logits, int n_vocab, float largest, float scale) = nullptr;  // of TopLogits

  // For limits.h.
  float (*chain_multiply_adds)(int64_t n_rounds) = nullptr;  // kChains · lanes a round
  float (*sum)(const float* values, int64_t n) = nullptr;    // n a multiple of 128; the rest is left out
};

KernelSet portable_kernels();
KernelSet avx2_kernels();    // called only where the CPU has AVX2, FMA and F16C
KernelSet avx512_kernels();  // called only where the CPU has AVX-512 F, BW, VL and DQ

}  // namespace ferry
