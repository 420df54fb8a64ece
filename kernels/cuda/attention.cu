// Which attention kernels: on tensor cores, or in exact f32; and whether the keys of single rows are shared out.

#include <algorithm>
#include <numeric>

#include "core/base/check.h"
#include "kernels/cuda/attention_decode.h"
#include "kernels/cuda/attention_launches.h"
#include "kernels/cuda/attention_prompt.h"

namespace ferry::cuda {
namespace {

void launch_exact(const Attention& p, const AttentionMeans& means, Stream stream) {
  check(p.kv.head_dim % 4 == 0, "a head as wide as the kernels know");
  AttentionTask task = {.p = p};
  task.shares.rows_at_once = std::max(1, kQueries * p.kv.n_heads / p.n_q_heads);
  const size_t n_floats =
      static_cast<size_t>(spans_of(p)) * static_cast<size_t>(p.n_q_heads) * static_cast<size_t>(p.kv.head_dim + 2);
  if (has_single_rows(p.batch) && n_floats <= means.n_floats) task.partial = means.partial;
  task.shares.single_rows = task.partial == nullptr;
  if (p.kv.head_dim <= 64) return launch_attention_64(task, stream);
  if (p.kv.head_dim <= 96) return launch_attention_96(task, stream);
  if (p.kv.head_dim <= 128) return launch_attention_128(task, stream);
  launch_attention_256(task, stream);
}

size_t unit_of(const KvLayer& kv) {
  return std::gcd(std::gcd(kv.page_bytes, kv.head_bytes), std::gcd(kv.token_bytes, kv.v_bytes));
}

// Copies and matrices are of 16 aligned bytes.
bool fits_tensor_cores(const Attention& p) {
  const auto aligned = [](const void* at) { return reinterpret_cast<uintptr_t>(at) % 16 == 0; };
  return p.kv.dtype != KvDtype::f32 && p.kv.head_dim % 8 == 0 && unit_of(p.kv) % 16 == 0 && aligned(p.kv.base) &&
         aligned(p.q) && aligned(p.out);
}

KeyPlaces places_of(const KvLayer& kv) {
  const size_t unit = unit_of(kv);
  const auto units = [unit](size_t n_bytes) { return static_cast<int>(n_bytes / unit); };
  return {.page_tokens = divisor_of(kv.page_tokens),
          .unit_bytes = static_cast<uint32_t>(unit),
          .page = units(kv.page_bytes),
          .head = units(kv.head_bytes),
          .token = units(kv.token_bytes),
          .values = units(kv.v_bytes)};
}

void launch_prompt(const PromptTask& task, Stream stream) {
  const int head_dim = task.p.kv.head_dim;
  if (head_dim <= 64) return launch_prompt_64(task, stream);
  if (head_dim <= 80) return launch_prompt_80(task, stream);
  if (head_dim <= 96) return launch_prompt_96(task, stream);
  if (head_dim <= 128) return launch_prompt_128(task, stream);
  launch_prompt_256(task, stream);
}

void launch_decode(const DecodeTask& task, int n_multiprocessors, Stream stream) {
  const int head_dim = task.p.kv.head_dim;
  if (head_dim <= 64) return launch_decode_64(task, n_multiprocessors, stream);
  if (head_dim <= 80) return launch_decode_80(task, n_multiprocessors, stream);
  if (head_dim <= 96) return launch_decode_96(task, n_multiprocessors, stream);
  if (head_dim <= 128) return launch_decode_128(task, n_multiprocessors, stream);
  launch_decode_256(task, n_multiprocessors, stream);
}

// Spans of sequences of one row: of one of them at most, and what is known of `n_sequences` together.
int most_spans_of(const Attention& p) { return std::max(kLeastMostSpans, kBlocksWanted / p.kv.n_heads); }
int64_t spans_at_most(const Attention& p, int n_sequences) {
  const int64_t by_pages = int64_t{p.batch.n_pages} * p.kv.page_tokens / kLeastSpanTokens + n_sequences;
  return std::min(by_pages, int64_t{most_spans_of(p)} * n_sequences);
}

// All sequences at once, or as many as there is room for.
void launch_single_rows(const Attention& p, const AttentionMeans& means, int64_t n_spans, Stream stream) {
  DecodeTask task = {.p = p, .places = places_of(p.kv), .most_spans = most_spans_of(p)};
  task.one_row_each = p.batch.n_rows == p.batch.n_sequences && p.batch.most_rows == 1;
  task.sums = means.partial;
  task.scales = means.partial + n_spans * p.n_q_heads * p.kv.head_dim;
  const bool fit = spans_at_most(p, p.batch.n_sequences) <= n_spans;
  const int at_once = fit ? p.batch.n_sequences : static_cast<int>(n_spans / task.most_spans);
  for (int first = 0; first < p.batch.n_sequences; first += at_once) {
    task.first_sequence = first;
    task.end_sequence = std::min(first + at_once, p.batch.n_sequences);
    task.n_blocks = static_cast<int>(spans_at_most(p, task.end_sequence - first)) * p.kv.n_heads;
    launch_decode(task, means.n_multiprocessors, stream);
    launch_merge_decoded(task, stream);
  }
}

}  // namespace

void launch_attention(const Attention& p, const AttentionMeans& means, Stream stream) {
  if (p.batch.n_rows == 0) return;
  check(p.kv.head_dim <= 256, "a head as wide as the kernels know");
  if (means.products == Products::f32 || !fits_tensor_cores(p)) return launch_exact(p, means, stream);
  const size_t span_floats = static_cast<size_t>(p.n_q_heads) * static_cast<size_t>(p.kv.head_dim + 2);
  const auto n_spans = static_cast<int64_t>(means.n_floats / span_floats);  // that there is room for
  const bool share_out = n_spans >= most_spans_of(p);
  const PromptTask prompt = {.p = p, .places = places_of(p.kv), .shares = {.single_rows = !share_out}};
  if (has_rows_of_prompts(p.batch) || !share_out) launch_prompt(prompt, stream);
  if (has_single_rows(p.batch) && share_out) launch_single_rows(p, means, n_spans, stream);
}

}  // namespace ferry::cuda
