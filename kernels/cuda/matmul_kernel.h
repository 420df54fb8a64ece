#pragma once
// y = x · wᵀ on the tensor cores, for up to 64 rows at once, with weights as they are kept: their codes, which bf16
// holds exactly, are multiplied with the terms of x (x_terms.h), and the sums of each group of columns with its scale
// in f32.
//
// A block computes 8 or 16 tiles of weight rows, one or two a warp, by 8, 32 or 64 rows of x, over one range of
// columns. Steps of both come to shared memory by asynchronous copies, several ahead: each byte of the weights is read
// once, and that is what bounds it. Which ranges there are depends on the matrix alone; the last block of a tile's
// ranges adds them up in order. So a row's results are the same bits whatever rows are beside it.
//
// The weights' first steps are copied before what ran before this kernel has ended: nothing that runs writes them.

#include <algorithm>

#include "core/base/check.h"
#include "kernels/cuda/weight_codes.h"
#include "kernels/cuda/x_terms.h"

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
};

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
  static constexpr int kRoom = (kXTiles == 1 ? 64 : 160) << 10;
  static constexpr int kFit = kRoom / static_cast<int>(sizeof(Stage));
  static constexpr int kStages = kFit < 2 ? 2 : kFit > 4 ? 4 : kFit;
  static constexpr int kBlocks = kXTiles > 1 ? 1 : kXTerms > 1 ? 2 : 3;
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

// part += codes · x for a group's halves, the smallest terms first.
template <TensorType kType, int kXTerms>
__device__ __forceinline__ void multiply(const Fragments<kType>& codes, int half, const uint4 (&x)[kXTerms],
                                         float (&part)[4]) {
#pragma unroll
  for (int term = kXTerms - 1; term >= 0; --term) {
    const uint2 b = half == 0 ? make_uint2(x[term].x, x[term].y) : make_uint2(x[term].z, x[term].w);
#pragma unroll
    for (int code_term = kCodeTerms<kType> - 1; code_term >= 0; --code_term) {
      // What is left out is below 2⁻²⁴ of the product.
      if (term + code_term < kTerms) mma_bf16(part, codes.a[code_term][half], b);
    }
  }
}

// sums += a tile's group by eight rows of x.
template <TensorType kType, int kXTerms>
__device__ __forceinline__ void multiply_tile(const Fragments<kType>& codes, const GroupScale (&scales)[2],
                                              const uint4 (&x)[kXTerms], float (&sums)[4]) {
  if constexpr (kIsPlain<kType>) {
    multiply<kType, kXTerms>(codes, 0, x, sums);
    multiply<kType, kXTerms>(codes, 1, x, sums);
    return;
  }
  constexpr bool kHalves = form_of(kType).kind == ScaleKind::grouped_signed;  // each has its own scale
  float part[4] = {};
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    multiply<kType, kXTerms>(codes, half, x, part);
    if (kHalves || half == 1) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        sums[i] = fmaf(scales[i / 2].step[half], part[i], sums[i]);
        part[i] = 0;
      }
    }
  }
}

// sums += offset · sum of x, group by group, as a product of 16 columns: lane t has the terms of group t.
template <class Shape, TensorType kType, int kXTiles>
__device__ __forceinline__ void add_offsets(const typename Shape::Stage& stage, int in_block,
                                            float (&sums)[kXTiles][4]) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  GroupScale scales[2];
  group_scales<kType>(stage.steps[in_block], block_scales<kType>(stage.block_scales[in_block], lane), lane % 4, lane,
                      scales);
  uint32_t first[kTerms], second[kTerms];  // each term twice
  split(scales[0].offset, scales[0].offset, first);
  split(scales[1].offset, scales[1].offset, second);
  const uint32_t a[4] = {first[0], second[0], first[1], second[1]};
#pragma unroll
  for (int tile = 0; tile < kXTiles; ++tile) {
    const int row = tile * kColumnsOfTile + lane / 4;
    const uint32_t x = stage.x_sums[0][lane % 4][row];
    if constexpr (Shape::kSumWords == 2) {
      const uint32_t last[4] = {first[0], second[0], first[2], second[2]};
      mma_bf16(sums[tile], last, make_uint2(stage.x_sums[1][lane % 4][row], x));
    }
    mma_bf16(sums[tile], a, make_uint2(x, x));
  }
}

template <class Shape, TensorType kType, int kXTiles, int kXTerms>
__device__ __forceinline__ void multiply_step(const typename Shape::Stage& stage,
                                              float (&sums)[Shape::kTilesOfWarp][kXTiles][4]) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll(kXTiles* kXTerms > 4 ? 2 : Shape::kStep.n_groups)
  for (int group = 0; group < Shape::kStep.n_groups; ++group) {
    Fragments<kType> codes[Shape::kTilesOfWarp];
    GroupScale scales[Shape::kTilesOfWarp][2];
#pragma unroll
    for (int m = 0; m < Shape::kTilesOfWarp; ++m) {
      const std::byte* step = stage.steps[warp * Shape::kTilesOfWarp + m];
      load<kType>(step, group, lane, codes[m]);
      const BlockScales block = block_scales<kType>(stage.block_scales[warp * Shape::kTilesOfWarp + m], lane);
      group_scales<kType>(step, block, group, lane, scales[m]);
    }
#pragma unroll
    for (int tile = 0; tile < kXTiles; ++tile) {
      uint4 x[kXTerms];
#pragma unroll
      for (int term = 0; term < kXTerms; ++term) x[term] = stage.x[term][group][tile][lane];
#pragma unroll
      for (int m = 0; m < Shape::kTilesOfWarp; ++m)
        multiply_tile<kType, kXTerms>(codes[m], scales[m], x, sums[m][tile]);
    }
  }
  if constexpr (kHasOffset<kType>) {
#pragma unroll
    for (int m = 0; m < Shape::kTilesOfWarp; ++m)
      add_offsets<Shape, kType, kXTiles>(stage, warp * Shape::kTilesOfWarp + m, sums[m]);
  }
}

// Hands in a range's sums. True for the block that came last: its sums are the totals of all ranges then, added in
// order.
template <int kFragments>
__device__ __forceinline__ bool add_ranges(const MatmulPart& part, int tiles, int range, float4 (&sums)[kFragments],
                                           bool& is_last) {
  const int thread = static_cast<int>(threadIdx.x);
  float4* of_tiles = part.partial + static_cast<int64_t>(tiles) * part.n_ranges * kFragments * kMatmulThreads + thread;
#pragma unroll
  for (int f = 0; f < kFragments; ++f) of_tiles[(range * kFragments + f) * kMatmulThreads] = sums[f];
  __syncthreads();
  if (thread == 0) {
    __threadfence();  // for what all threads wrote: the barrier hands it on
    is_last = atomicAdd(&part.n_arrived[tiles], 1U) + 1 == static_cast<uint32_t>(part.n_ranges);
    __threadfence();
  }
  __syncthreads();
  if (!is_last) return false;
  if (thread == 0) part.n_arrived[tiles] = 0;
  // Several loads at once: each takes about as long as all of them.
  constexpr int kTogether = kFragments >= 16 ? 1 : kFragments >= 8 ? 2 : 8;
#pragma unroll
  for (int f = 0; f < kFragments; ++f) sums[f] = make_float4(0, 0, 0, 0);
#pragma unroll 1
  for (int first = 0; first < part.n_ranges; first += kTogether) {
    float4 some[kTogether][kFragments];
#pragma unroll
    for (int r = 0; r < kTogether; ++r) {
#pragma unroll
      for (int f = 0; f < kFragments; ++f) {
        const int at = (min(first + r, part.n_ranges - 1) * kFragments + f) * kMatmulThreads;
        some[r][f] = __ldcg(&of_tiles[at]);
      }
    }
#pragma unroll
    for (int r = 0; r < kTogether; ++r) {
      if (first + r >= part.n_ranges) break;
#pragma unroll
      for (int f = 0; f < kFragments; ++f) {
        sums[f].x += some[r][f].x, sums[f].y += some[r][f].y;
        sums[f].z += some[r][f].z, sums[f].w += some[r][f].w;
      }
    }
  }
  return true;
}

// What a thread's fragments are of the results.
template <class Shape, int kXTiles, int kFragments>
__device__ __forceinline__ void store(const MatmulTask& task, const MatmulPart& part, int first_tile,
                                      const float4 (&totals)[kFragments]) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
  for (int f = 0; f < kFragments; ++f) {
    const int out = (first_tile + warp * Shape::kTilesOfWarp + f / kXTiles) * kTileRows + lane / 4;
    const int row = f % kXTiles * kColumnsOfTile + lane % 4 * 2;
    const float values[4] = {totals[f].x, totals[f].y, totals[f].z, totals[f].w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int o = out + i / 2 * 8, r = row + i % 2;
      if (o < part.n_out && r < task.n_rows) {
        part.y[static_cast<int64_t>(r) * part.n_out + o] = part.bias != nullptr ? values[i] + part.bias[o] : values[i];
      }
    }
  }
}

template <TensorType kType, int kXTiles, int kXTerms>
__global__ void __launch_bounds__(kMatmulThreads, (MatmulShape<kType, kXTiles, kXTerms>::kBlocks))
    matmul(const __grid_constant__ MatmulTask task) {
  using Shape = MatmulShape<kType, kXTiles, kXTerms>;
  constexpr int kStages = Shape::kStages, kFragments = Shape::kTilesOfWarp * kXTiles;
  auto& shared = shared_memory<typename Shape::Shared>();
  int index = 0;
  while (index + 1 < task.n_parts && static_cast<int>(blockIdx.x) >= task.parts[index + 1].first_block) ++index;
  const MatmulPart& part = task.parts[index];
  const int block = static_cast<int>(blockIdx.x) - part.first_block;
  const int tiles = block / part.n_ranges, range = block % part.n_ranges;
  const int begin = range * task.n_steps / part.n_ranges, end = (range + 1) * task.n_steps / part.n_ranges;

  Copier<kType, kXTiles, kXTerms> copier(task, part, tiles * Shape::kTiles, begin);
  let_next_begin();
#pragma unroll
  for (int s = 0; s < kStages - 1; ++s) {
    if (begin + s < end) copier.copy_weights(shared.stages[s]);
  }
  wait_for_previous();
#pragma unroll
  for (int s = 0; s < kStages - 1; ++s) {
    if (begin + s < end) copier.copy_x(shared.stages[s]);
    end_copy_group();
  }

  float4 totals[kFragments];
  {
    float sums[Shape::kTilesOfWarp][kXTiles][4] = {};
    int now = 0, next = kStages - 1;
    for (int step = begin; step < end; ++step) {
      wait_for_copies<kStages - 2>();
      __syncthreads();  // what all copied is there, and all have multiplied the stage that is filled next
      if (step + kStages - 1 < end) {
        copier.copy_weights(shared.stages[next]);
        copier.copy_x(shared.stages[next]);
      }
      end_copy_group();
      multiply_step<Shape, kType, kXTiles, kXTerms>(shared.stages[now], sums);
      now = now + 1 == kStages ? 0 : now + 1;
      next = next + 1 == kStages ? 0 : next + 1;
    }
#pragma unroll
    for (int f = 0; f < kFragments; ++f) {
      const float(&sum)[4] = sums[f / kXTiles][f % kXTiles];
      totals[f] = make_float4(sum[0], sum[1], sum[2], sum[3]);
    }
  }
  if (part.n_ranges > 1 && !add_ranges(part, tiles, range, totals, shared.is_last)) return;
  store<Shape, kXTiles>(task, part, tiles * Shape::kTiles, totals);
}

// False where the card's blocks have less shared memory than this takes.
template <TensorType kType, int kXTiles, int kXTerms>
bool launch_rows(MatmulTask task, const MatmulRoom& room, Stream stream) {
  using Shape = MatmulShape<kType, kXTiles, kXTerms>;
  constexpr size_t kOfABlock = size_t{Shape::kTilesOfWarp} * kXTiles * kMatmulThreads;
  if (sizeof(typename Shape::Shared) > room.shared_bytes) return false;
  task.n_rows = std::min(task.n_rows, kXTiles * kColumnsOfTile);
  for (int first = 0; first < task.n_parts;) {
    MatmulTask some = task;
    some.n_parts = 0;
    int n_blocks = 0, n_arrived = 0;
    size_t n_partial = 0;
    for (; first < task.n_parts; ++first) {
      MatmulPart part = task.parts[first];
      const int n_tiles = parts_of(part.n_tiles, Shape::kTiles);
      const size_t wanted = part.n_ranges > 1 ? static_cast<size_t>(n_tiles * part.n_ranges) * kOfABlock : 0;
      if (n_partial + wanted > room.n_partial || n_arrived + n_tiles > room.n_counters) break;
      part.first_block = n_blocks;
      part.partial = room.partial + n_partial;
      part.n_arrived = room.n_arrived + n_arrived;
      n_blocks += n_tiles * part.n_ranges;
      n_partial += wanted;
      n_arrived += part.n_ranges > 1 ? n_tiles : 0;
      some.parts[some.n_parts++] = part;
    }
    check(some.n_parts > 0, "there is room for the ranges of each weight");
    launch_early(matmul<kType, kXTiles, kXTerms>, {{n_blocks}, kMatmulThreads, sizeof(typename Shape::Shared), stream},
                 some);
  }
  return true;
}

// Launches for the first rows of the task; how many they are.
template <TensorType kType>
int launch_matmul_of(const MatmulTask& task, const MatmulRoom& room, Stream stream) {
  const auto done = [&](int x_tiles) { return std::min(task.n_rows, x_tiles * kColumnsOfTile); };
  if (task.x.n_terms == 1) {
    if (task.n_rows > 32 && launch_rows<kType, 8, 1>(task, room, stream)) return done(8);
    if (task.n_rows > 8 && launch_rows<kType, 4, 1>(task, room, stream)) return done(4);
    check(launch_rows<kType, 1, 1>(task, room, stream), "shared memory for eight rows");
  } else {
    if (task.n_rows > 8 && launch_rows<kType, 4, kTerms>(task, room, stream)) return done(4);
    check(launch_rows<kType, 1, kTerms>(task, room, stream), "shared memory for eight rows");
  }
  return done(1);
}

// Each in a file of its own or with its like, so that they compile side by side.
extern template int launch_matmul_of<TensorType::f32>(const MatmulTask&, const MatmulRoom&, Stream);
extern template int launch_matmul_of<TensorType::f16>(const MatmulTask&, const MatmulRoom&, Stream);
extern template int launch_matmul_of<TensorType::bf16>(const MatmulTask&, const MatmulRoom&, Stream);
extern template int launch_matmul_of<TensorType::q8_0>(const MatmulTask&, const MatmulRoom&, Stream);
extern template int launch_matmul_of<TensorType::q4_0>(const MatmulTask&, const MatmulRoom&, Stream);
extern template int launch_matmul_of<TensorType::q4_1>(const MatmulTask&, const MatmulRoom&, Stream);
extern template int launch_matmul_of<TensorType::q5_0>(const MatmulTask&, const MatmulRoom&, Stream);
extern template int launch_matmul_of<TensorType::q5_1>(const MatmulTask&, const MatmulRoom&, Stream);
extern template int launch_matmul_of<TensorType::q4_k>(const MatmulTask&, const MatmulRoom&, Stream);
extern template int launch_matmul_of<TensorType::q5_k>(const MatmulTask&, const MatmulRoom&, Stream);
extern template int launch_matmul_of<TensorType::q6_k>(const MatmulTask&, const MatmulRoom&, Stream);

}  // namespace ferry::cuda
