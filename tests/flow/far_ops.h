#pragma once
// Reference Ops whose device does what it is told later. They compute ahead of time; what they write into far pages is
// there, for copies, when the launch is done: KV that is shipped too early is seen in the tokens.

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/seam/ops.h"
#include "kernels/cpu/reference_ops.h"
#include "tests/support/far_device.h"

namespace ferry {

class FarOps final : public Ops {
 public:
  explicit FarOps(unsigned seed) : device_(seed) {}

  FarDevice& far() { return device_; }
  // Called when the device has done a layer of a step of so many rows.
  std::function<void(int n_rows)> on_layer_done = [](int) {};
  std::vector<std::string> launched;  // names, in order

  std::string name() const override { return "reference, far away"; }
  Device& device() override { return device_; }
  std::unique_ptr<Weight> prepare(const MatrixSlice& slice) override { return ops_->prepare(slice); }
  std::unique_ptr<RepeatedSteps> repeated_steps(const StepForm& most) override { return ops_->repeated_steps(most); }

  void embed(const Embed& p) override { run("embed", &Ops::embed, p); }
  void rms_norm(const RmsNorm& p) override { run("rms_norm", &Ops::rms_norm, p); }
  void gated_activation(const GatedActivation& p) override { run("gated_activation", &Ops::gated_activation, p); }
  void add_and_norm(const AddAndNorm& p) override { run("add_and_norm", &Ops::add_and_norm, p); }
  void select_rows(const SelectRows& p) override { run("select_rows", &Ops::select_rows, p); }
  void top_logits(const TopLogits& p) override { run("top_logits", &Ops::top_logits, p); }
  void matmul(std::span<const Matmul> products) override {
    launched.push_back("matmul");
    ops_->matmul(products);
  }

  void attention(const Attention& p) override {
    Attention ahead = p;
    ahead.kv = ahead_of(p.kv);
    run("attention", &Ops::attention, ahead);
  }

  // What of the pages it changes, byte by byte, waits for its launch.
  void rotate_and_store(const RotateAndStore& p) override {
    RotateAndStore ahead = p;
    ahead.kv = ahead_of(p.kv);
    const size_t n_bytes = bytes_of(p);
    const std::vector<std::byte> before(ahead.kv.base, ahead.kv.base + n_bytes);
    run("rotate_and_store", &Ops::rotate_and_store, ahead);
    std::vector<std::pair<size_t, std::byte>> changes;
    for (size_t i = 0; i < n_bytes; ++i) {
      if (ahead.kv.base[i] != before[i]) changes.emplace_back(i, ahead.kv.base[i]);
    }
    std::byte* const now = device_.now({p.kv.base, n_bytes}).data();
    device_.launch([this, now, changes = std::move(changes), n_rows = p.batch.n_rows] {
      for (const auto& [i, value] : changes) now[i] = value;
      on_layer_done(n_rows);
    });
  }

 private:
  template <class P>
  void run(const char* name, void (Ops::*operation)(const P&), const P& p) {
    launched.push_back(name);
    (*ops_.*operation)(p);
  }

  KvLayer ahead_of(KvLayer kv) const {
    kv.base = device_.ahead({kv.base, 1}).data();
    return kv;
  }
  // From the layer's first page to the end of the last one that the batch uses.
  static size_t bytes_of(const RotateAndStore& p) {
    int last = 0;
    for (int i = 0; i < p.batch.page_begin[p.batch.n_sequences]; ++i) last = std::max(last, p.batch.pages[i]);
    return static_cast<size_t>(last) * p.kv.page_bytes + static_cast<size_t>(p.kv.n_heads) * p.kv.head_bytes;
  }

  FarDevice device_;
  const std::unique_ptr<Ops> ops_ = make_reference_ops();
};

}  // namespace ferry
