#pragma once
// What a block of a product has in shared memory, and how it comes there (matmul_kernel.h).

#include "kernels/cuda/bf16_terms.h"
#include "kernels/cuda/planar_weight.h"
#include "kernels/cuda/weight_codes.h"
#include "kernels/cuda/x_values.h"

namespace ferry::cuda {

constexpr int kMatmulWarps = 8;
constexpr int kMatmulThreads = kMatmulWarps * kWarp;
constexpr int kColumnsOfTile = 8;  // rows of x
constexpr int kMostParts = 4;

// One of the products that a launch computes.
struct MatmulPart {
  const std::byte* steps = nullptr;
  const std::byte* block_scales = nullptr;
  const float* bias = nullptr;  // [n_out] or null
  float* y = nullptr;           // [n_rows, n_out]
  int n_out = 0;
  int n_tiles = 0;
  int n_ranges = 1;
  int first_block = 0;            // of the launch
  float4* partial = nullptr;      // where there are several ranges: [block][fragment][thread]
  uint32_t* n_arrived = nullptr;  // [blocks of a range]: ranges that are there; zero before and after
};

struct MatmulTask {
  MatmulPart parts[kMostParts];  // matrices of as many columns
  int n_parts = 0;
  int n_rows = 0;  // of x
  int x_row = 0;   // the first of them in `x`
  int n_steps = 0;
  XTerms x;
  XRows x_rows;  // what they are made of
};

// Up to eight rows of x, rounded, are split by each block that reads them: that costs less than a launch before.
template <int kXTiles, int kXTerms>
constexpr bool kSplitsX = kXTiles == 1 && kXTerms == 1;

// What launches share: they run one after the other.
struct MatmulRoom {
  float4* partial = nullptr;
  size_t n_partial = 0;
  uint32_t* n_arrived = nullptr;
  int n_counters = 0;
  size_t shared_bytes = 0;  // of a block, at most
};

template <TensorType kType, int kXTiles, int kXTerms>
struct MatmulShape {
  static constexpr StepShape kStep = step_of(kType);
  // Two tiles a warp halve what is read of x; the large steps of plain weights leave no room for that.
  static constexpr int kTilesOfWarp = kXTiles == 1 || kIsPlain<kType> ? 1 : 2;
  static constexpr int kTiles = kMatmulWarps * kTilesOfWarp;
  static constexpr int kBlockBytes = kStep.block_bytes > 0 ? kStep.block_bytes : 16;

  static constexpr int kSumWords = kXTerms == 1 ? 1 : 2;
  // Lanes that read together read from different banks.
  static constexpr int kSumStride = (kXTiles == 1 ? 1 : kXTiles + 1) * kColumnsOfTile;

  struct Stage {
    uint4 x[kXTerms][kStep.n_groups][kXTiles][kWarp];        // as mma_bf16 wants it: both halves of a group
    uint32_t x_sums[kSumWords][kStep.n_groups][kSumStride];  // where weights have offsets
    alignas(16) std::byte steps[kTiles][kStep.bytes];
    alignas(16) std::byte block_scales[kTiles][kBlockBytes];
  };

  // Few rows: several blocks a multiprocessor, together with enough on the way. More rows: one, whose warps multiply
  // one group while they prepare the next, and need registers for that.
  static constexpr int kBlocks = kXTiles > 2 ? 1 : kXTiles > 1 || kXTerms > 1 ? 2 : 3;
  static constexpr int kRoom = (kXTiles > 2 ? 160 : kXTiles > 1 ? 112 : 64) << 10;
  static constexpr int kFit = kRoom / static_cast<int>(sizeof(Stage));
  static constexpr int kStages = kFit < 2 ? 2 : kFit > 4 ? 4 : kFit;
  struct Shared {
    Stage stages[kStages];
    bool is_last;
  };
};

// What a thread copies to shared memory, step after step: of the weights, what its warp will multiply; of x, its part
// of what the block reads.
template <TensorType kType, int kXTiles, int kXTerms>
class Copier {
  using Shape = MatmulShape<kType, kXTiles, kXTerms>;
  using Stage = typename Shape::Stage;
  static constexpr StepShape kStep = Shape::kStep;
  static constexpr int kGroups = kStep.n_groups;
  static constexpr uint32_t kPieces = (kType == TensorType::bf16 ? 256 : kStep.bytes) / 16;  // from a step to the next
  static constexpr int kTilesApart = kMatmulWarps / kGroups;  // a warp has one group of x, and every so many tiles

 public:
  __device__ __forceinline__ Copier(const MatmulTask& task, const MatmulPart& part, int first_tile, int step)
      : task_(task), part_(part), first_tile_(first_tile + warp() * Shape::kTilesOfWarp), step_(step) {
    // Rows of bf16 come two at a time, 256 bytes of each.
    const int first = kType == TensorType::bf16 ? (first_tile_ * kTileRows + lane() / 16) * task.n_steps + step
                                                : first_tile_ * task.n_steps + step;
    weights_at_ = static_cast<uint32_t>(first) * kPieces + (kType == TensorType::bf16 ? lane() % 16 : lane());
    const int row = task.x_row + warp() / kGroups * kColumnsOfTile + lane() / 4;
    x_at_ = static_cast<uint32_t>(row * task.x.n_columns + (step * kGroups + warp() % kGroups) * 32 + lane() % 4 * 8);
    x_group_ = step * kGroups;
  }

  // The next step of the weights.
  __device__ __forceinline__ void copy_weights(Stage& stage) {
#pragma unroll
    for (int m = 0; m < Shape::kTilesOfWarp; ++m) {
      if (first_tile_ + m >= part_.n_tiles) break;
      std::byte* to = stage.steps[warp() * Shape::kTilesOfWarp + m];
      if constexpr (kType == TensorType::bf16) {
        const int of_group = lane() % 16 / 4 * 2 * kWarp + lane() / 16 * 4 + lane() % 4;
        const auto two_rows = static_cast<uint32_t>(task_.n_steps) * 2 * kPieces;
#pragma unroll
        for (int i = 0; i < kTileRows / 2; ++i)  // rows 2i and 2i + 1: the second eight are apart
          copy_async(to + (of_group + i / 4 * kWarp + i % 4 * 8) * 16,
                     weights(static_cast<uint32_t>(m * (kTileRows / 2) + i) * two_rows), true);
      } else {
        copy_by_warp<kStep.bytes>(to, weights(static_cast<uint32_t>(m * task_.n_steps) * kPieces));
      }
      if constexpr (kStep.block_bytes > 0) {
        const int64_t block = static_cast<int64_t>(first_tile_ + m) * (task_.n_steps / 2) + step_ / 2;
        copy_by_warp<kStep.block_bytes>(stage.block_scales[warp() * Shape::kTilesOfWarp + m],
                                        part_.block_scales + block * kStep.block_bytes + lane() * 16);
      }
    }
    weights_at_ += kPieces;
    ++step_;
  }

  // The next step of x.
  __device__ __forceinline__ void copy_x(Stage& stage) {
    const int group = warp() % kGroups;
#pragma unroll
    for (int i = 0; i < (kXTiles + kTilesApart - 1) / kTilesApart; ++i) {
      const int tile = warp() / kGroups + i * kTilesApart;
      if (tile >= kXTiles) break;
      const bool is_there = tile * kColumnsOfTile + lane() / 4 < task_.n_rows;
#pragma unroll
      for (int term = 0; term < kXTerms; ++term)
        copy_async(
            &stage.x[term][group][tile][lane()],
            task_.x.terms + x_at_ +
                static_cast<uint32_t>((term * task_.x.n_rows + i * kTilesApart * kColumnsOfTile) * task_.x.n_columns),
            is_there);
    }
    x_at_ += kGroups * kGroupColumns;
    if constexpr (kHasOffset<kType>) {
      constexpr int kFours = kXTiles * kColumnsOfTile / 4;
      static_assert(Shape::kSumWords * kGroups * kFours <= kMatmulThreads);
      const int thread = static_cast<int>(threadIdx.x), row = thread % kFours * 4;
      const int of_word = thread / kFours % kGroups, word = thread / kFours / kGroups;
      if (word < Shape::kSumWords)
        copy_async(&stage.x_sums[word][of_word][row],
                   task_.x.sums + (word * (task_.x.n_columns / kGroupColumns) + x_group_ + of_word) * task_.x.n_rows +
                       task_.x_row + row,
                   row < task_.n_rows);
      x_group_ += kGroups;
    }
  }

 private:
  __device__ __forceinline__ static int warp() { return static_cast<int>(threadIdx.x) / kWarp; }
  __device__ __forceinline__ static int lane() { return static_cast<int>(threadIdx.x) % kWarp; }

  __device__ __forceinline__ const std::byte* weights(uint32_t further) const {
    return part_.steps + static_cast<uint64_t>(weights_at_ + further) * 16;
  }

  // Pieces of 16 bytes, shared out over the lanes of a warp; `from` is the lane's first.
  template <int kBytes>
  __device__ __forceinline__ static void copy_by_warp(std::byte* to, const std::byte* from) {
#pragma unroll
    for (int at = 0; at < kBytes; at += kWarp * 16) {
      if (at + lane() * 16 < kBytes) copy_async(to + at + lane() * 16, from + at, true);
    }
  }

  const MatmulTask& task_;
  const MatmulPart& part_;
  const int first_tile_;  // of the warp
  int step_;              // of the weights that comes next
  uint32_t weights_at_;   // pieces of 16 bytes, of which a weight has fewer than 2³²
  uint32_t x_at_;         // the terms of x are fewer than 2³²
  int x_group_;
};

// Of eight rows of x, a thread's four columns of each step.
template <class Shape, TensorType kType>
class Splitter {
 public:
  __device__ __forceinline__ explicit Splitter(const MatmulTask& task) : task_(task) {}

  __device__ __forceinline__ float4 values(int step) const {
    const int column = step * Shape::kStep.n_columns() + four() * 4;
    return row() < kColumnsOfTile ? four_of_x(task_.x_rows, task_.x_row + row(), column) : make_float4(0, 0, 0, 0);
  }

  // All threads of a warp have rows, or none.
  __device__ __forceinline__ void put(const float4& x, typename Shape::Stage& stage) const {
    if (row() >= kColumnsOfTile) return;
    const uint32_t pairs[2] = {bf16_pair(x.x, x.y), bf16_pair(x.z, x.w)};
    const int group = four() / 8, half = four() % 8 / 4, t = four() % 4;
    uint4* lane = &stage.x[0][group][0][row() * 4 + t];
    reinterpret_cast<uint2*>(lane)[half] = make_uint2(pairs[0], pairs[1]);
    if constexpr (!kHasOffset<kType>) return;
    float sum = sum_of_pair(pairs[0]) + sum_of_pair(pairs[1]);
    for (const int distance : {4, 1, 2}) sum += __shfl_xor_sync(kAllLanes, sum, distance);
    uint32_t terms[2];  // each twice
    split(sum, sum, terms);
    if (four() % 8 == 0) stage.x_sums[0][group][row()] = low_halves(terms[0], terms[1]);
  }

 private:
  static constexpr int kFours = Shape::kStep.n_columns() / 4;  // of a row
  __device__ __forceinline__ static int row() { return static_cast<int>(threadIdx.x) / kFours; }
  __device__ __forceinline__ static int four() { return static_cast<int>(threadIdx.x) % kFours; }

  const MatmulTask& task_;
};

}  // namespace ferry::cuda
