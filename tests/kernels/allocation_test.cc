// A step allocates nothing: every allocation of this program is counted.

#include <array>
#include <atomic>
#include <cstdlib>
#include <new>
#include <numeric>

#include "tests/kernels/ops_fixture.h"

namespace {

std::atomic<int64_t> n_allocations = 0;

void* allocated(size_t n_bytes) {
  ++n_allocations;
  if (void* memory = std::malloc(n_bytes)) return memory;
  throw std::bad_alloc();
}
void* allocated(size_t n_bytes, std::align_val_t alignment) {
  ++n_allocations;
  const auto unit = static_cast<size_t>(alignment);
  if (void* memory = std::aligned_alloc(unit, (n_bytes + unit - 1) / unit * unit)) return memory;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(size_t n_bytes) { return allocated(n_bytes); }
void* operator new(size_t n_bytes, std::align_val_t alignment) { return allocated(n_bytes, alignment); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace ferry {
namespace {

class AllocationContract : public OpsContract {};

TEST_P(AllocationContract, AStepOfEveryOperationAllocatesNothing) {
  constexpr int kRows = 40, kWidth = 128, kHeads = 2, kHeadDim = 64, kPageTokens = 16;
  Random random(1);
  const Floats matrix = random.normals(kWidth * kWidth);
  const std::unique_ptr<Weight> w = ops().prepare(
      {{TensorType::f32, reinterpret_cast<const std::byte*>(matrix.data()), kWidth, kWidth, kWidth * sizeof(float)},
       0,
       kWidth,
       0,
       kWidth});
  Floats x = random.normals(kRows * kWidth), y(x.size()), memory(2 * 3 * kPageTokens * kWidth);
  std::vector<int> rows(kRows);
  std::iota(rows.begin(), rows.end(), 0);
  std::vector<int> ids(kRows * kMostBest);
  Floats sums(2 * kRows);
  const Floats scales(kRows, 0.7f);
  const std::vector<int> row_begin = {0, kRows}, page_begin = {0, 3}, pages = {2, 0, 1}, heads = {0, 1};
  const KvLayer kv{reinterpret_cast<std::byte*>(memory.data()),
                   2 * kPageTokens * kWidth * 4,
                   2 * kPageTokens * kHeadDim * 4,
                   kPageTokens * kHeadDim * 4,
                   kHeadDim * 4,
                   kPageTokens,
                   kHeads,
                   kHeadDim,
                   KvDtype::f32};
  const BatchView batch{kRows, 1, rows.data(), row_begin.data(), page_begin.data(), pages.data(), 3, kRows};

  const int64_t before = n_allocations;
  for (const int n_rows : {1, kRows}) {
    ops().embed({w.get(), rows.data(), y.data(), n_rows, 0, 1});
    ops().rms_norm({x.data(), matrix.data(), y.data(), n_rows, kWidth, 1e-5f});
    ops().matmul({w.get(), x.data(), y.data(), nullptr, n_rows});
    ops().gated_activation({x.data(), x.data(), y.data(), n_rows * kWidth, Activation::silu});
    ops().add_and_norm({x.data(), x.data(), nullptr, matrix.data(), y.data(), n_rows, kWidth, 1e-5f});
    ops().select_rows({x.data(), rows.data(), y.data(), n_rows, kWidth});
    ops().top_logits({x.data(), scales.data(), ids.data(), y.data(), sums.data(), n_rows, kWidth, 0, kMostBest});
  }
  ops().rotate_and_store({.q = y.data(),
                          .k = x.data(),
                          .v = y.data(),
                          .inverse_frequencies = matrix.data(),
                          .n_rotated = kHeadDim,
                          .n_q_heads = kHeads,
                          .kv = kv,
                          .batch = batch});
  ops().attention({x.data(), y.data(), heads.data(), kHeads, 0.125f, kv, batch});
  EXPECT_EQ(n_allocations - before, 0);
}

FERRY_FOR_EVERY_IMPLEMENTATION(AllocationContract);

}  // namespace
}  // namespace ferry
