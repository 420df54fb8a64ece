// What a step of decoding takes that no device does: scheduling, the batch and its way to the ranks, choosing tokens,
// what the router is told. The operations compute nothing, and every row of logits is one that the 64 best decide. For
// tuning, and to be held against a step on a card (docs/cuda.md): host_work MODEL.gguf

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string_view>

#include "core/base/codec.h"
#include "core/engine/member.h"
#include "kernels/cpu/cpu_ops.h"
#include "parallel/solo.h"
#include "transport/memory_link.h"

namespace ferry {
namespace {

constexpr int kContext = 1024, kSteps = 200, kMostSequences = 64;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

class WallClock final : public Clock {
 public:
  Instant now() const override { return std::chrono::steady_clock::now(); }
};

class IdleOps final : public Ops {
 public:
  explicit IdleOps(int vocabulary) : n_vocab(vocabulary) {}
  const int n_vocab;

  std::string name() const override { return "idle"; }
  Device& device() override { return cpu_->device(); }
  std::unique_ptr<Weight> prepare(const MatrixSlice& slice) override { return cpu_->prepare(slice); }
  std::unique_ptr<RepeatedSteps> repeated_steps(const StepForm& most) override { return cpu_->repeated_steps(most); }
  void embed(const Embed&) override {}
  void rms_norm(const RmsNorm&) override {}
  // Logits are random, once and for all.
  void matmul(std::span<const Matmul> products) override {
    const Matmul& last = products.back();
    if (last.w->n_rows() != n_vocab || has_logits_) return;
    std::minstd_rand random(1);
    std::normal_distribution<float> normal(-20, 2);
    std::generate_n(last.y, static_cast<size_t>(last.w->n_rows()) * kMostSequences, [&] { return normal(random); });
    has_logits_ = true;
  }
  void rotate_and_store(const RotateAndStore&) override {}
  void attention(const Attention&) override {}
  void gated_activation(const GatedActivation&) override {}
  void add_and_norm(const AddAndNorm&) override {}
  void select_rows(const SelectRows&) override {}

  // Others in each step, each a tenth less likely than the one before, far beyond the last that is told.
  void top_logits(const TopLogits& p) override {
    first_ = (first_ + 64) % (n_vocab - 64);
    for (int r = 0; r < p.n_rows; ++r) {
      for (int i = 0; i < p.n_best; ++i) {
        p.ids[r * p.n_best + i] = first_ + i;
        p.best[r * p.n_best + i] = -kFall * static_cast<float>(i);
      }
      if (p.n_best == 1) continue;
      p.sums[2 * r] = 1 / (1 - std::exp(-kFall));
      p.sums[2 * r + 1] = 1 / (1 - std::exp(-kFall * p.scales[r]));
    }
  }

 private:
  static constexpr float kFall = 0.1f;
  int first_ = 0;
  bool has_logits_ = false;
  const std::unique_ptr<Ops> cpu_ = make_cpu_ops(1);
};

struct Case {
  const char* name;
  Sampling sampling;
};

double us_of_step(const ModelFile& file, IdleOps& ops, const Case& c, int n_sequences) {
  SoloCommunicator alone;
  const WallClock clock;
  GroupSettings settings = {.key = {"bench", 1}, .max_context = 2 * kContext};
  const int pages = 2 * kContext / settings.kv.page_tokens * n_sequences;
  settings.kv.memory = static_cast<size_t>(pages) * kv_plan(file, settings.kv, 1).layouts[0].page_bytes();
  MemoryFabric fabric;
  const auto link = fabric.make_link(kv_plan(file, settings.kv, 1).bytes(0));
  Member member(file, settings, {ops, alone, *link, clock});
  for (int i = 0; i < n_sequences; ++i) {
    Request request = {.id = i + 1,
                       .prompt = std::vector<int>(kContext, 100 + i),
                       .max_tokens = kContext,
                       .sampling = c.sampling,
                       .ignore_eos = true};
    member.engine().handle(wire::Run{.attempt = {1, i + 1, 0}, .request = request, .deadline_ms = 1e9});
  }
  size_t n_bytes = 0;
  const auto turn = [&] {
    member.leader().turn();
    for (const wire::ToRouter& message : member.engine().take_to_router()) n_bytes += pack(message).size();
  };
  while (member.engine().stats().n_waiting > 0 || n_bytes == 0) turn();
  for (int i = 0; i < 2 * n_sequences; ++i) turn();  // all prompts are read
  const double start = cpu_seconds();
  for (int i = 0; i < kSteps; ++i) turn();
  return (cpu_seconds() - start) * 1e6 / kSteps;
}

int run(const char* path) {
  const ModelFile file(path);
  IdleOps ops(file.config.n_vocab);
  const Case cases[] = {{"greedy", {}},
                        {"drawn, temperature 0.8", {.temperature = 0.8f, .seed = 1}},
                        {"drawn, top_p 0.9", {.temperature = 0.8f, .top_p = 0.9f, .seed = 1}},
                        {"greedy, repetition_penalty 1.1", {.repetition_penalty = 1.1f}},
                        {"drawn, top_p 0.9, frequency_penalty 0.2",
                         {.temperature = 0.8f, .top_p = 0.9f, .seed = 1, .frequency_penalty = 0.2f}}};
  std::printf("µs of a step, %d tokens each:\n", kContext);
  for (const Case& c : cases) {
    for (const int n : {1, 8, 32, kMostSequences})
      std::printf("%-42s %3d sequences %8.1f\n", c.name, n, us_of_step(file, ops, c, n));
  }
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace ferry

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: host_work MODEL.gguf\n"), EXIT_FAILURE;
  return ferry::run(argv[1]);
}
