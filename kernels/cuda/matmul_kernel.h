#pragma once
// y = x · wᵀ on the tensor cores, for up to 64 rows at once, with weights as they are kept: their codes, which bf16
// holds exactly, are multiplied with the terms of x (x_terms.h), and the sums of each group of columns with its scale
// in f32.
//
// A block computes 8 or 16 tiles of weight rows, one or two a warp, by 8, 16, 32 or 64 rows of x, over one range of
// columns. Steps of both come to shared memory by asynchronous copies, several ahead: each byte of the weights is read
// once, and that is what bounds it. Which ranges there are depends on the matrix alone; the last block of a tile's
// ranges adds them up in order. So a row's results are the same bits whatever rows are beside it.
//
// The weights' first steps are copied before what ran before this kernel has ended: nothing that runs writes them.

#include <algorithm>

#include "core/base/check.h"
#include "kernels/cuda/matmul_stages.h"

namespace ferry::cuda {

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
#pragma unroll(kXTiles > 4 || kXTerms > 1 ? 2 : Shape::kStep.n_groups)
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
  const Splitter<Shape, kType> splitter(task);
  float4 x_next = {};  // of the step that comes into a stage next, where the block splits x
  let_next_begin();
#pragma unroll
  for (int s = 0; s < kStages - 1; ++s) {
    if (begin + s < end) copier.copy_weights(shared.stages[s]);
    if (kSplitsX<kXTiles, kXTerms>) end_copy_group();
  }
  wait_for_previous();
  if constexpr (kSplitsX<kXTiles, kXTerms>) {
    float4 x[kStages];
#pragma unroll
    for (int s = 0; s < kStages; ++s) x[s] = splitter.values(begin + s);
#pragma unroll
    for (int s = 0; s < kStages - 1; ++s) splitter.put(x[s], shared.stages[s]);
    x_next = x[kStages - 1];
  } else {
#pragma unroll
    for (int s = 0; s < kStages - 1; ++s) {
      if (begin + s < end) copier.copy_x(shared.stages[s]);
      end_copy_group();
    }
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
        if constexpr (kSplitsX<kXTiles, kXTerms>) {
          splitter.put(x_next, shared.stages[next]);
          x_next = splitter.values(step + kStages);
        } else {
          copier.copy_x(shared.stages[next]);
        }
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
    if (task.n_rows > 16 && launch_rows<kType, 4, 1>(task, room, stream)) return done(4);
    if (task.n_rows > 8 && launch_rows<kType, 2, 1>(task, room, stream)) return done(2);
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
