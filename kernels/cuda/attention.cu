// Which attention kernel, and whether spans are shared out.

#include <algorithm>

#include "core/base/check.h"
#include "kernels/cuda/attention_launches.h"

namespace ferry::cuda {

int spans_of(const Attention& p) {
  return static_cast<int>(static_cast<int64_t>(p.batch.n_pages) * p.kv.page_tokens / kSpanTokens) + p.batch.n_sequences;
}

void launch_attention(const Attention& p, const AttentionScratch& scratch, Stream stream) {
  check(p.kv.head_dim % 4 == 0 && p.kv.head_dim <= 256, "a head as wide as the kernels know");
  if (p.batch.n_rows == 0) return;
  AttentionTask task = {.p = p};
  task.rows_at_once = std::max(1, kQueries * p.kv.n_heads / p.n_q_heads);
  const size_t n_floats =
      static_cast<size_t>(spans_of(p)) * static_cast<size_t>(p.n_q_heads) * static_cast<size_t>(p.kv.head_dim + 2);
  const bool has_short = p.batch.most_rows == 1 || p.batch.n_sequences > 1;
  if (has_short && n_floats <= scratch.n_floats) task.partial = scratch.partial;
  if (p.kv.head_dim <= 64) return launch_attention_64(task, stream);
  if (p.kv.head_dim <= 96) return launch_attention_96(task, stream);
  if (p.kv.head_dim <= 128) return launch_attention_128(task, stream);
  launch_attention_256(task, stream);
}

}  // namespace ferry::cuda
