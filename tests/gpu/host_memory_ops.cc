#include "tests/gpu/host_memory_ops.h"

#include <algorithm>
#include <map>

#include "kernels/cpu/host_device.h"
#include "kernels/cpu/plain_steps.h"

namespace ferry {
namespace {

// The arrays of one call. What two parameters name is one array.
class Copies {
 public:
  explicit Copies(Device& device) : device_(device) {}

  template <class T>
  void in(const T*& array, size_t n) {
    array = static_cast<const T*>(copy_of(array, n * sizeof(T)));
  }
  template <class T>
  void out(T*& array, size_t n) {
    T* host = array;
    array = static_cast<T*>(const_cast<void*>(copy_of(array, n * sizeof(T))));
    if (array != nullptr) back_.push_back({host, array, n * sizeof(T)});
  }
  void in(BatchView& b) {
    in(b.pages, static_cast<size_t>(b.n_pages));
    in(b.positions, static_cast<size_t>(b.n_rows));
    in(b.row_begin, static_cast<size_t>(b.n_sequences) + 1);
    in(b.page_begin, static_cast<size_t>(b.n_sequences) + 1);
  }
  // `b` as the caller gave it: its page ids say how far the pages reach.
  void out(KvLayer& kv, const BatchView& b) {
    if (b.n_pages == 0) return;
    int last = 0;
    for (int i = 0; i < b.n_pages; ++i) last = std::max(last, b.pages[i]);
    const size_t heads = kv.n_heads > 0 ? static_cast<size_t>(kv.n_heads - 1) * kv.head_bytes : 0;
    out(kv.base, static_cast<size_t>(last) * kv.page_bytes + heads + 2 * kv.v_bytes);
  }

  void finish() {
    for (const Back& back : back_) device_.download(back.host, back.copy, back.n_bytes);
  }

 private:
  struct Back {
    void* host = nullptr;
    const void* copy = nullptr;
    size_t n_bytes = 0;
  };

  const void* copy_of(const void* host, size_t n_bytes) {
    if (host == nullptr || n_bytes == 0) return nullptr;
    const auto [at, is_new] = copies_.try_emplace(host);
    if (is_new) {
      at->second = DeviceArray<std::byte>(device_, n_bytes);
      device_.upload(at->second.data(), host, n_bytes);
    }
    return at->second.data();
  }

  Device& device_;
  std::map<const void*, DeviceArray<std::byte>> copies_;
  std::vector<Back> back_;
};

size_t size(int a, int b, int c = 1) {
  return static_cast<size_t>(a) * static_cast<size_t>(b) * static_cast<size_t>(c);
}

class HostMemoryOps final : public Ops {
 public:
  explicit HostMemoryOps(std::unique_ptr<Ops> card) : card_(std::move(card)) {}

  std::string name() const override { return card_->name(); }
  Device& device() override { return host_; }
  std::unique_ptr<Weight> prepare(const MatrixSlice& slice) override { return card_->prepare(slice); }
  std::unique_ptr<RepeatedSteps> repeated_steps(const StepForm&) override { return std::make_unique<PlainSteps>(); }

  void embed(const Embed& p) override {
    run(&Ops::embed, p, [](Embed& q, Copies& c) {
      c.in(q.tokens, static_cast<size_t>(q.n_rows));
      c.out(q.out, size(q.n_rows, q.table->n_cols()));
    });
  }
  void rms_norm(const RmsNorm& p) override {
    run(&Ops::rms_norm, p, [](RmsNorm& q, Copies& c) {
      c.in(q.x, size(q.n_rows, q.width));
      c.in(q.weight, static_cast<size_t>(q.width));
      c.out(q.out, size(q.n_rows, q.width));
    });
  }
  void matmul(std::span<const Matmul> products) override {
    Copies copies(card_->device());
    card_->matmul(replaced(products, copies));
    copies.finish();
  }
  void matmul_of(const AddAndNorm& x, std::span<const Matmul> products) override { run(x, products); }
  void matmul_of(const GatedActivation& x, std::span<const Matmul> products) override { run(x, products); }
  void rotate_and_store(const RotateAndStore& p) override {
    run(&Ops::rotate_and_store, p, [](RotateAndStore& q, Copies& c) {
      c.out(q.q, size(q.batch.n_rows, q.n_q_heads, q.kv.head_dim));
      c.out(q.k, size(q.batch.n_rows, q.kv.n_heads, q.kv.head_dim));
      c.in(q.v, size(q.batch.n_rows, q.kv.n_heads, q.kv.head_dim));
      c.in(q.q_norm, static_cast<size_t>(q.kv.head_dim));
      c.in(q.k_norm, static_cast<size_t>(q.kv.head_dim));
      c.in(q.inverse_frequencies, static_cast<size_t>(q.n_rotated / 2));
      c.out(q.kv, q.batch);
      c.in(q.batch);
    });
  }
  void attention(const Attention& p) override {
    run(&Ops::attention, p, [](Attention& q, Copies& c) {
      c.in(q.q, size(q.batch.n_rows, q.n_q_heads, q.kv.head_dim));
      c.out(q.out, size(q.batch.n_rows, q.n_q_heads, q.kv.head_dim));
      c.in(q.kv_head_of, static_cast<size_t>(q.n_q_heads));
      c.out(q.kv, q.batch);
      c.in(q.batch);
    });
  }
  void gated_activation(const GatedActivation& p) override {
    run(&Ops::gated_activation, p, [](GatedActivation& q, Copies& c) { replace(q, c); });
  }
  void add_and_norm(const AddAndNorm& p) override {
    run(&Ops::add_and_norm, p, [](AddAndNorm& q, Copies& c) { replace(q, c); });
  }
  void select_rows(const SelectRows& p) override {
    int last = -1;
    for (int i = 0; i < p.n_rows; ++i) last = std::max(last, p.rows[i]);
    run(&Ops::select_rows, p, [last](SelectRows& q, Copies& c) {
      c.in(q.x, size(last + 1, q.width));
      c.in(q.rows, static_cast<size_t>(q.n_rows));
      c.out(q.out, size(q.n_rows, q.width));
    });
  }
  void top_logits(const TopLogits& p) override {
    run(&Ops::top_logits, p, [](TopLogits& q, Copies& c) {
      c.in(q.logits, size(q.n_rows, q.n_vocab));
      c.in(q.scales, static_cast<size_t>(q.n_rows));
      c.out(q.ids, size(q.n_rows, q.n_best));
      c.out(q.best, size(q.n_rows, q.n_best));
      c.out(q.sums, size(q.n_rows, 2));
    });
  }

 private:
  static void replace(GatedActivation& q, Copies& c) {
    c.in(q.gate, static_cast<size_t>(q.n));
    c.in(q.up, static_cast<size_t>(q.n));
    c.out(q.out, static_cast<size_t>(q.n));
  }
  static void replace(AddAndNorm& q, Copies& c) {
    c.out(q.x, size(q.n_rows, q.width));
    c.in(q.y, size(q.n_rows, q.width));
    c.in(q.y_weight, static_cast<size_t>(q.width));
    c.in(q.weight, static_cast<size_t>(q.width));
    c.out(q.out, size(q.n_rows, q.width));
  }
  static std::vector<Matmul> replaced(std::span<const Matmul> products, Copies& c) {
    std::vector<Matmul> all(products.begin(), products.end());
    for (Matmul& q : all) {
      c.in(q.x, size(q.n_rows, q.w->n_cols()));
      c.in(q.bias, static_cast<size_t>(q.w->n_rows()));
      c.out(q.y, size(q.n_rows, q.w->n_rows()));
    }
    return all;
  }

  // What the operation makes and the x of its products are one array on the card, too.
  template <class P>
  void run(P p, std::span<const Matmul> products) {
    Copies copies(card_->device());
    replace(p, copies);
    card_->matmul_of(p, replaced(products, copies));
    copies.finish();
  }

  template <class P, class Replace>
  void run(void (Ops::*operation)(const P&), P p, const Replace& replace) {
    Copies copies(card_->device());
    replace(p, copies);
    (*card_.*operation)(p);
    copies.finish();
  }

  HostDevice host_;
  const std::unique_ptr<Ops> card_;
};

}  // namespace

std::unique_ptr<Ops> make_host_memory_ops(std::unique_ptr<Ops> card) {
  return std::make_unique<HostMemoryOps>(std::move(card));
}

}  // namespace ferry
