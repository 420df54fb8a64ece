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

  struct Stage {
    uint4 x[kXTerms][kStep.n_groups][kXTiles][kWarp];        // as mma_bf16 wants it: both halves of a group
    float x_sums[kStep.n_groups][kXTiles * kColumnsOfTile];  // where weights have offsets
    alignas(16) std::byte steps[kTiles][kStep.bytes];
    alignas(16) std::byte block_scales[kTiles][kBlockBytes];
  };

  // Few rows: several blocks a multiprocessor, together with enough on the way. More rows: one or two.
  static constexpr int kRoom = (kXTiles == 1 ? 64 : 100) << 10;
  static constexpr int kFit = kRoom / static_cast<int>(sizeof(Stage));
  static constexpr int kStages = kFit < 2 ? 2 : kFit > 4 ? 4 : kFit;
  struct Shared {
    Stage stages[kStages];
    bool is_last;
  };
};

// Pieces of 16 bytes, shared out over the lanes of a warp.
template <int kBytes>
__device__ __forceinline__ void copy_by_warp(std::byte* to, const std::byte* from, int lane) {
#pragma unroll
  for (int i = 0; i < (kBytes / 16 + kWarp - 1) / kWarp; ++i) {
    const int at = (i * kWarp + lane) * 16;
    if (at < kBytes) copy_async(to + at, from + at, true);
  }
}

// A warp copies the weights that it will multiply, of step `step`.
template <class Shape, TensorType kType>
__device__ __forceinline__ void copy_weights(const MatmulTask& task, const MatmulPart& part, int first_tile, int step,
                                             typename Shape::Stage& stage) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  constexpr int kBytes = Shape::kStep.bytes;
#pragma unroll
  for (int m = 0; m < Shape::kTilesOfWarp; ++m) {
    const int in_block = warp * Shape::kTilesOfWarp + m, tile = first_tile + in_block;
    if (tile >= part.n_tiles) continue;
    std::byte* to = stage.steps[in_block];
    if constexpr (kType == TensorType::bf16) {  // 16 rows of 256 bytes
#pragma unroll
      for (int i = 0; i < kBytes / 16 / kWarp; ++i) {
        const int row = 2 * i + lane / 16, group = lane % 16 / 4, t = lane % 4;
        const int64_t at = static_cast<int64_t>(tile * kTileRows + row) * task.n_steps + step;
        copy_async(to + ((group * 2 + row / 8) * kWarp + row % 8 * 4 + t) * 16, part.steps + at * 256 + lane % 16 * 16,
                   true);
      }
    } else {
      copy_by_warp<kBytes>(to, part.steps + (static_cast<int64_t>(tile) * task.n_steps + step) * kBytes, lane);
    }
    if constexpr (Shape::kStep.block_bytes > 0) {
      const int64_t block = static_cast<int64_t>(tile) * (task.n_steps / 2) + step / 2;
      copy_by_warp<Shape::kStep.block_bytes>(stage.block_scales[in_block],
                                             part.block_scales + block * Shape::kStep.block_bytes, lane);
    }
  }
}

// The block copies the rows of x, of step `step`.
template <class Shape, TensorType kType, int kXTiles, int kXTerms>
__device__ __forceinline__ void copy_x(const MatmulTask& task, int step, typename Shape::Stage& stage) {
  constexpr int kGroups = Shape::kStep.n_groups;
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int item = warp; item < kXTerms * kGroups * kXTiles; item += kMatmulWarps) {
    const int tile = item % kXTiles, group = item / kXTiles % kGroups, term = item / kXTiles / kGroups;
    const int row = tile * kColumnsOfTile + lane / 4;
    const int64_t at = (static_cast<int64_t>(term) * task.x.n_rows + task.x_row + row) * task.x.n_columns;
    copy_async(&stage.x[term][group][tile][lane], task.x.terms + at + (step * kGroups + group) * 32 + lane % 4 * 8,
               row < task.n_rows);
  }
  if constexpr (kHasOffset<kType>) {
    constexpr int kFours = kXTiles * kColumnsOfTile / 4;
    for (int i = static_cast<int>(threadIdx.x); i < kGroups * kFours; i += kMatmulThreads) {
      const int group = i / kFours, row = i % kFours * 4;
      copy_async(&stage.x_sums[group][i % kFours * 4],
                 task.x.sums + static_cast<int64_t>(step * kGroups + group) * task.x.n_rows + task.x_row + row,
                 row < task.n_rows);
    }
  }
}

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
                                              const uint4 (&x)[kXTerms], float2 x_sums, float (&sums)[4]) {
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
  if constexpr (kHasOffset<kType>) {
#pragma unroll
    for (int i = 0; i < 4; ++i) sums[i] = fmaf(scales[i / 2].offset, i % 2 ? x_sums.y : x_sums.x, sums[i]);
  }
}

template <class Shape, TensorType kType, int kXTiles, int kXTerms>
__device__ __forceinline__ void multiply_step(const typename Shape::Stage& stage,
                                              float (&sums)[Shape::kTilesOfWarp][kXTiles][4]) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  BlockScales blocks[Shape::kTilesOfWarp];
#pragma unroll
  for (int m = 0; m < Shape::kTilesOfWarp; ++m)
    blocks[m] = block_scales<kType>(stage.block_scales[warp * Shape::kTilesOfWarp + m], lane);
#pragma unroll
  for (int group = 0; group < Shape::kStep.n_groups; ++group) {
    Fragments<kType> codes[Shape::kTilesOfWarp];
    GroupScale scales[Shape::kTilesOfWarp][2];
#pragma unroll
    for (int m = 0; m < Shape::kTilesOfWarp; ++m) {
      const std::byte* step = stage.steps[warp * Shape::kTilesOfWarp + m];
      load<kType>(step, group, lane, codes[m]);
      group_scales<kType>(step, blocks[m], group, lane, scales[m]);
    }
#pragma unroll
    for (int tile = 0; tile < kXTiles; ++tile) {
      uint4 x[kXTerms];
#pragma unroll
      for (int term = 0; term < kXTerms; ++term) x[term] = stage.x[term][group][tile][lane];
      float2 x_sums = {};
      if constexpr (kHasOffset<kType>)
        x_sums = *reinterpret_cast<const float2*>(&stage.x_sums[group][tile * kColumnsOfTile + lane % 4 * 2]);
#pragma unroll
      for (int m = 0; m < Shape::kTilesOfWarp; ++m)
        multiply_tile<kType, kXTerms>(codes[m], scales[m], x, x_sums, sums[m][tile]);
    }
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
  __threadfence();
  __syncthreads();
  if (thread == 0) is_last = atomicAdd(&part.n_arrived[tiles], 1U) + 1 == static_cast<uint32_t>(part.n_ranges);
  __syncthreads();
  if (!is_last) return false;
  __threadfence();
  if (thread == 0) part.n_arrived[tiles] = 0;
#pragma unroll
  for (int f = 0; f < kFragments; ++f) {
    sums[f] = make_float4(0, 0, 0, 0);
    for (int r = 0; r < part.n_ranges; ++r) {
      const float4 of_range = __ldcg(&of_tiles[(r * kFragments + f) * kMatmulThreads]);
      sums[f].x += of_range.x, sums[f].y += of_range.y, sums[f].z += of_range.z, sums[f].w += of_range.w;
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
__global__ void __launch_bounds__(kMatmulThreads) matmul(const __grid_constant__ MatmulTask task) {
  using Shape = MatmulShape<kType, kXTiles, kXTerms>;
  constexpr int kStages = Shape::kStages, kFragments = Shape::kTilesOfWarp * kXTiles;
  auto& shared = shared_memory<typename Shape::Shared>();
  int index = 0;
  while (index + 1 < task.n_parts && static_cast<int>(blockIdx.x) >= task.parts[index + 1].first_block) ++index;
  const MatmulPart& part = task.parts[index];
  const int block = static_cast<int>(blockIdx.x) - part.first_block;
  const int tiles = block / part.n_ranges, range = block % part.n_ranges;
  const int begin = range * task.n_steps / part.n_ranges, end = (range + 1) * task.n_steps / part.n_ranges;

  let_next_begin();
#pragma unroll
  for (int s = 0; s < kStages - 1; ++s) {
    if (begin + s < end) copy_weights<Shape, kType>(task, part, tiles * Shape::kTiles, begin + s, shared.stages[s]);
  }
  wait_for_previous();
#pragma unroll
  for (int s = 0; s < kStages - 1; ++s) {
    if (begin + s < end) copy_x<Shape, kType, kXTiles, kXTerms>(task, begin + s, shared.stages[s]);
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
        copy_weights<Shape, kType>(task, part, tiles * Shape::kTiles, step + kStages - 1, shared.stages[next]);
        copy_x<Shape, kType, kXTiles, kXTerms>(task, step + kStages - 1, shared.stages[next]);
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
