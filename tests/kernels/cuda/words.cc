// The words that kernels are written in, as the emulator speaks them.

#include "kernels/cuda/language.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace ferry::cuda {
namespace {

constexpr int kRow = 8;  // values of a row of a matrix

struct MatricesShared {
  alignas(16) uint16_t rows[kWarp][kRow];
};

struct Matrices {
  const uint16_t* values = nullptr;  // [32 rows, 8]
  uint32_t* pairs = nullptr;         // [32 lanes, 4]
  bool turned = false;
};

void load_four(const Matrices p) {
  auto& shared = shared_memory<MatricesShared>();
  const int lane = static_cast<int>(threadIdx.x);
  copy_async(shared.rows[lane], p.values + lane * kRow, true);
  end_copy_group();
  wait_for_copies<0>();
  __syncwarp();
  uint32_t pairs[4];
  if (p.turned) {
    load_matrices_turned(pairs, shared.rows[lane]);
  } else {
    load_matrices(pairs, shared.rows[lane]);
  }
  for (int i = 0; i < 4; ++i) p.pairs[lane * 4 + i] = pairs[i];
}

TEST(Language, ALaneGetsItsPairsOfFourMatrices) {
  alignas(16) static uint16_t values[kWarp * kRow];
  std::iota(std::begin(values), std::end(values), uint16_t{0});
  for (const bool turned : {false, true}) {
    std::vector<uint32_t> pairs(kWarp * 4);
    launch(load_four, {{1}, kWarp, sizeof(MatricesShared), {}}, Matrices{values, pairs.data(), turned});
    for (uint32_t lane = 0; lane < kWarp; ++lane) {
      const uint32_t g = lane / 4, t = lane % 4;
      for (uint32_t m = 0; m < 4; ++m) {
        const uint32_t low = turned ? m * 64 + 2 * t * 8 + g : m * 64 + g * 8 + 2 * t;
        EXPECT_EQ(pairs[lane * 4 + m], low | (low + (turned ? 8 : 1)) << 16) << lane << " " << m;
      }
    }
  }
}

struct CopiesShared {
  alignas(16) uint32_t words[3][4];
};

struct Copying {
  const uint32_t* from = nullptr;  // [4]
  uint32_t* seen = nullptr;        // [4]
};

void copy_in_groups(const Copying p) {
  auto& shared = shared_memory<CopiesShared>();
  copy_async(shared.words[0], p.from, true);
  copy_async(shared.words[1], p.from, false);
  end_copy_group();
  copy_async(shared.words[2], p.from, true);
  end_copy_group();
  wait_for_copies<1>();
  p.seen[0] = shared.words[0][3];
  p.seen[1] = shared.words[1][3];
  p.seen[2] = shared.words[2][3];
  wait_for_copies<0>();
  p.seen[3] = shared.words[2][3];
}

TEST(Language, ACopyIsThereOnceItsGroupIsWaitedFor) {
  alignas(16) static const uint32_t from[4] = {1, 2, 3, 4};
  std::vector<uint32_t> seen(4);
  launch(copy_in_groups, {{1}, 1, sizeof(CopiesShared), {}}, Copying{from, seen.data()});
  EXPECT_EQ(seen, (std::vector<uint32_t>{4, 0, 0xffffffff, 4}));
}

void vote(uint32_t* const seen) {
  const int lane = static_cast<int>(threadIdx.x);
  const uint32_t odd = __ballot_sync(kAllLanes, lane % 2 == 1);
  const int64_t far = __shfl_sync(kAllLanes, int64_t{lane} << 33, 5);
  if (lane == 0) seen[0] = odd, seen[1] = static_cast<uint32_t>(far >> 33), seen[2] = __any_sync(kAllLanes, false);
  if (lane != 0) __any_sync(kAllLanes, false);
}

TEST(Language, AWarpVotesAndShufflesWideValues) {
  std::vector<uint32_t> seen(3);
  launch(vote, {{1}, kWarp, 0, {}}, seen.data());
  EXPECT_EQ(seen, (std::vector<uint32_t>{0xaaaaaaaa, 5, 0}));
}

struct Product {
  uint32_t a = 0, b = 0;  // a pair that all of a tile's pairs are
  float* sums = nullptr;  // [2]: bf16's, f16's
};

void multiply_ones(const Product p) {
  const uint32_t a[4] = {p.a, p.a, p.a, p.a};
  float bf16[4] = {1, 1, 1, 1}, f16[4] = {1, 1, 1, 1};
  mma_bf16(bf16, a, make_uint2(p.b, p.b));
  mma_f16(f16, a, make_uint2(p.b, p.b));
  if (threadIdx.x == 9) p.sums[0] = bf16[3], p.sums[1] = f16[3];
}

TEST(Language, TensorCoresMultiplyBothKindsOfHalves) {
  float sums[2] = {};
  launch(multiply_ones, {{1}, kWarp, 0, {}}, Product{bf16_pair(2, 2), bf16_pair(1, 3), sums});
  EXPECT_EQ(sums[0], 1 + 16 * 2 * 2.0f);
  launch(multiply_ones, {{1}, kWarp, 0, {}}, Product{f16_pair(2, 2), f16_pair(1, 3), sums});
  EXPECT_EQ(sums[1], 1 + 16 * 2 * 2.0f);
}

}  // namespace
}  // namespace ferry::cuda
