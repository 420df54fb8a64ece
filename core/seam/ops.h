#pragma once
// What a device computes. Each operation is a parameter struct and a call that launches it in order on the device's
// stream; it allocates nothing and waits for nothing. Activations are f32. All pointers are of the device's memory,
// rows are dense.
//
// Implementations: reference (plain f32 loops, the meaning of each operation), cpu (SIMD chosen at run time, a thread
// pool), cuda (a card's; in tests the same kernels on the CPU). tests/kernels holds every implementation against the
// reference.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/kv/dtype.h"
#include "core/model/tensor.h"
#include "core/seam/device.h"
#include "core/seam/repeated_steps.h"

namespace ferry {

// A matrix in the form that one implementation computes with (as in the file, or repacked). Made by Ops::prepare, used
// only with that Ops, and may refer to the mapped file.
class Weight {
 public:
  virtual ~Weight() = default;
  virtual int n_rows() const = 0;
  virtual int n_cols() const = 0;
  virtual size_t bytes() const = 0;  // that a product with it reads
};

// KV pages of one layer of this rank, as KvLayout places them: token t of head h has its key at
// base + page * page_bytes + h * head_bytes + t * token_bytes, its value v_bytes further.
struct KvLayer {
  std::byte* base = nullptr;
  size_t page_bytes = 0;  // from a page to the next
  size_t head_bytes = 0;
  size_t v_bytes = 0;
  size_t token_bytes = 0;
  int page_tokens = 0;
  int n_heads = 0;
  int head_dim = 0;
  KvDtype dtype = KvDtype::f32;
};

// Which sequences the rows of a flat batch belong to. Row r of sequence s (rows row_begin[s] … row_begin[s+1]) is the
// token at position positions[r]; it sees the tokens 0 … positions[r] of its sequence, whose KV lies in the pages
// pages[page_begin[s]] …, page_tokens to a page, this batch's own tokens included. Where positions[r] is −1, the row is
// padding: nothing of it is stored, and attention gives it zeros.
struct BatchView {
  int n_rows = 0;
  int n_sequences = 0;
  const int* positions = nullptr;   // [n_rows], ascending by one within a sequence, or −1
  const int* row_begin = nullptr;   // [n_sequences + 1]
  const int* page_begin = nullptr;  // [n_sequences + 1]
  const int* pages = nullptr;       // [n_pages], page ids of this rank
  // Counts for whoever shares the work out on the host, where the arrays are not.
  int n_pages = 0;    // page_begin[n_sequences], or more
  int most_rows = 0;  // of a sequence, or more
};

struct Embed {  // out[r] = table row tokens[r] - first_token, or zeros where the table does not hold that token
  const Weight* table = nullptr;  // [n table rows, width]
  const int* tokens = nullptr;    // [n_rows]
  float* out = nullptr;           // [n_rows, width]
  int n_rows = 0;
  int first_token = 0;
  float scale = 1;
};

struct RmsNorm {                  // out = x / sqrt(mean(x²) + epsilon) · weight, row by row; out may be x
  const float* x = nullptr;       // [n_rows, width]
  const float* weight = nullptr;  // [width]
  float* out = nullptr;           // [n_rows, width]
  int n_rows = 0;
  int width = 0;
  float epsilon = 0;
};

struct Matmul {                 // y = x · wᵀ (+ bias)
  const Weight* w = nullptr;    // [n_out, n_in]
  const float* x = nullptr;     // [n_rows, n_in]
  float* y = nullptr;           // [n_rows, n_out]; not x
  const float* bias = nullptr;  // [n_out] or null
  int n_rows = 0;
};

enum class RopePairs : uint8_t { interleaved, halves };  // (2i, 2i+1) or (i, i + n_rotated/2)

// Queries and keys, which get their heads' norms where the family has any, turn by their positions: pair i of a head by
// positions[r] · inverse_frequencies[i]. Keys and values go, rounded to the cache's type, into their pages.
struct RotateAndStore {
  float* q = nullptr;                          // [n_rows, n_q_heads, head_dim], in place
  float* k = nullptr;                          // [n_rows, kv.n_heads, head_dim], undefined afterwards
  const float* v = nullptr;                    // [n_rows, kv.n_heads, head_dim]
  const float* q_norm = nullptr;               // [head_dim] or null: the weight of an RmsNorm of each head
  const float* k_norm = nullptr;               // [head_dim] or null
  float epsilon = 0;                           // of the norms
  const float* inverse_frequencies = nullptr;  // [n_rotated / 2]
  int n_rotated = 0;                           // the first n_rotated values of a head turn; even, ≤ head_dim
  RopePairs pairs = RopePairs::interleaved;
  int n_q_heads = 0;
  KvLayer kv;
  BatchView batch;
};

struct Attention {           // out = softmax(q · Kᵀ · scale) · V over what each row sees (BatchView); f32 sums
  const float* q = nullptr;  // [n_rows, n_q_heads, head_dim]
  float* out = nullptr;      // [n_rows, n_q_heads, head_dim]
  const int* kv_head_of = nullptr;  // [n_q_heads], ascending: local KV head that a local query head reads
  int n_q_heads = 0;
  float scale = 0;
  KvLayer kv;
  BatchView batch;
};

enum class Activation : uint8_t { silu, gelu_tanh };

struct GatedActivation {        // out = activation(gate) · up; out may be gate
  const float* gate = nullptr;  // [n]
  const float* up = nullptr;    // [n]
  float* out = nullptr;         // [n]
  int64_t n = 0;
  Activation activation = Activation::silu;
};

struct AddAndNorm {                 // x += y, or the norm of y; then out = the norm of x: RmsNorm, row by row
  float* x = nullptr;               // [n_rows, width]
  const float* y = nullptr;         // [n_rows, width]
  const float* y_weight = nullptr;  // [width], of y's norm; null: y as it is
  const float* weight = nullptr;    // [width], of x's norm
  float* out = nullptr;             // [n_rows, width]; neither x nor y
  int n_rows = 0;
  int width = 0;
  float epsilon = 0;
};

struct SelectRows {           // out[i] = x[rows[i]]
  const float* x = nullptr;   // [n of x, width]
  const int* rows = nullptr;  // [n_rows]
  float* out = nullptr;       // [n_rows, width]; not x
  int n_rows = 0;
  int width = 0;
};

// What tokens are chosen from, in place of whole rows of logits: the best ones, and the sums that say what share of a
// row they are. A logit that is no number counts as −infinity. Sums are 0 where all logits are −infinity, and anything
// where one is +infinity; otherwise within kSumTolerance of themselves.
struct TopLogits {
  const float* logits = nullptr;  // [n_rows, n_vocab]
  const float* scales = nullptr;  // [n_rows], above zero, finite; not read where n_best is 1
  int* ids = nullptr;             // [n_rows, n_best], the best first, the lowest first among equals; −1: no more
  float* best = nullptr;          // [n_rows, n_best], their logits; −infinity: no more
  float* sums = nullptr;  // [n_rows, 2]: of exp(logit − best) and of exp((logit − best) · scale); not written
                          // where n_best is 1
  int n_rows = 0;
  int n_vocab = 0;
  int first_id = 0;  // of column 0
  int n_best = 1;    // up to kMostBest
};
constexpr int kMostBest = 64;
// Of an exponential of f32, where terms matter that are as far below the best as a vocabulary is large (12 in e's
// powers): 12 · 3 · 2⁻²⁴ for its argument, 2⁻²² for itself; the rest is for the sum.
constexpr double kSumTolerance = 5e-6;

class Ops {
 public:
  virtual ~Ops() = default;
  virtual std::string name() const = 0;  // "reference", "cpu avx2 ×2 threads": for people

  virtual Device& device() = 0;  // whose memory it computes in

  // At load, not in a step.
  virtual std::unique_ptr<Weight> prepare(const MatrixSlice& slice) = 0;
  // The same for a table that is not multiplied with: embed() alone reads rows of it.
  virtual std::unique_ptr<Weight> prepare_table(const MatrixSlice& slice) { return prepare(slice); }
  virtual std::unique_ptr<RepeatedSteps> repeated_steps(const StepForm& most) = 0;  // these Ops outlive them

  virtual void embed(const Embed& p) = 0;
  virtual void rms_norm(const RmsNorm& p) = 0;
  // Products of one x (and n_rows), each into a y of its own: what is prepared of x serves all of them.
  virtual void matmul(std::span<const Matmul> products) = 0;
  void matmul(const Matmul& p) { matmul(std::span(&p, 1)); }
  virtual void rotate_and_store(const RotateAndStore& p) = 0;
  virtual void attention(const Attention& p) = 0;
  virtual void gated_activation(const GatedActivation& p) = 0;
  virtual void add_and_norm(const AddAndNorm& p) = 0;
  virtual void select_rows(const SelectRows& p) = 0;
  virtual void top_logits(const TopLogits& p) = 0;

  // Products of what an operation makes, where nothing else reads its `out`, which is their x: undefined afterwards,
  // since an implementation may keep it in the form that its products take. The products' bits are the same either way.
  virtual void matmul_of(const AddAndNorm& x, std::span<const Matmul> products) {
    add_and_norm(x);
    matmul(products);
  }
  virtual void matmul_of(const GatedActivation& x, std::span<const Matmul> products) {
    gated_activation(x);
    matmul(products);
  }
};

}  // namespace ferry
