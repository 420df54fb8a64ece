#include <cuda_runtime.h>

#include <algorithm>

#include "parallel/cuda/nvcc/all_reduce.h"
#include "parallel/cuda/nvcc/demand.h"

namespace ferry::cuda {

namespace {

constexpr int kThreads = 512;

__device__ void say(uint32_t* flag, uint32_t turn) {
  asm volatile("st.release.sys.global.u32 [%0], %1;" ::"l"(flag), "r"(turn) : "memory");
}

__device__ uint32_t heard(const uint32_t* flag) {
  uint32_t turn;
  asm volatile("ld.acquire.sys.global.u32 %0, [%1];" : "=r"(turn) : "l"(flag) : "memory");
  return turn;
}

__device__ uint64_t now_ns() {
  uint64_t ns;
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(ns));
  return ns;
}

__device__ WindowHead& head_of(const AllReduceLaunch& p, int rank) {
  return *reinterpret_cast<WindowHead*>(p.windows[rank]);
}

__device__ float4* buffer_of(const AllReduceLaunch& p, int rank, uint32_t turn) {
  return reinterpret_cast<float4*>(p.windows[rank] + kHeadBytes + (turn % 2) * p.buffer_bytes);
}

// Waits until the rank has come to the turn; turns wrap around. A clock bounds it, and the host's word.
__device__ bool await(const AllReduceLaunch& p, int meeting, uint32_t turn, int rank) {
  constexpr int kLooks = 256;  // between two at the clock and at the host, which is far
  const uint32_t* flag = &head_of(p, p.rank).arrived[meeting][blockIdx.x][rank];
  const uint64_t start = now_ns();
  for (int n_looks = 1; static_cast<int32_t>(heard(flag) - turn) < 0; ++n_looks) {
    if (n_looks % kLooks != 0) continue;
    const bool late = now_ns() - start > p.patience_ns;
    if (late) p.words->missing = 1 + rank;
    if (late || p.words->give_up != 0) return false;
  }
  return true;
}

// This block of all ranks. What its threads wrote before, the others read after.
__device__ bool meet(const AllReduceLaunch& p, int meeting, uint32_t turn) {
  const int peer = threadIdx.x;
  bool came = true;
  __syncthreads();
  if (peer < p.n_ranks) {
    say(&head_of(p, peer).arrived[meeting][blockIdx.x][p.rank], turn);
    came = await(p, meeting, turn, peer);
  }
  return __syncthreads_and(came);
}

// Its number. Where a turn failed before, there is none.
__device__ uint32_t begin_turn(const AllReduceLaunch& p, bool& may_begin) {
  __shared__ uint32_t turn, failed;
  if (threadIdx.x == 0) {
    turn = head_of(p, p.rank).turn + 1;
    failed = *static_cast<volatile uint32_t*>(&head_of(p, p.rank).failed);
  }
  __syncthreads();
  may_begin = failed == 0;
  return turn;
}

// The last block to come here ends the turn: by then all have read its number.
__device__ void end_turn(const AllReduceLaunch& p, uint32_t turn, bool whole) {
  __syncthreads();
  if (threadIdx.x != 0) return;
  WindowHead& head = head_of(p, p.rank);
  if (!whole) {
    *static_cast<volatile uint32_t*>(&head.failed) = 1;
    __threadfence_system();  // what the host is told is there when this kernel has ended
  }
  if (atomicAdd(&head.n_blocks_done, 1) + 1 < gridDim.x) return;
  head.n_blocks_done = 0;
  head.turn = turn;
}

// Four values at a time; those after the last are zeros that nobody stores.
__device__ float4 pack_of(const AllReduceLaunch& p, int64_t pack) {
  const int64_t at = 4 * pack;
  const bool whole = at + 4 <= p.n && reinterpret_cast<uintptr_t>(p.values) % sizeof(float4) == 0;
  if (whole) return reinterpret_cast<const float4*>(p.values)[pack];
  const auto value = [&](int i) { return at + i < p.n ? p.values[at + i] : 0.0F; };
  return {value(0), value(1), value(2), value(3)};
}

__device__ void store_pack(const AllReduceLaunch& p, int64_t pack, float4 sum) {
  const int64_t at = 4 * pack;
  const bool whole = at + 4 <= p.n && reinterpret_cast<uintptr_t>(p.values) % sizeof(float4) == 0;
  if (whole) {
    reinterpret_cast<float4*>(p.values)[pack] = sum;
    return;
  }
  const float values[] = {sum.x, sum.y, sum.z, sum.w};
  for (int i = 0; i < 4; ++i) {
    if (at + i < p.n) p.values[at + i] = values[i];
  }
}

// All loads are under way before the first sum: another card's memory is far.
__device__ float4 sum_of(const AllReduceLaunch& p, uint32_t turn, int64_t pack) {
  float4 parts[kMostRanks];
#pragma unroll
  for (int rank = 0; rank < kMostRanks; ++rank) {
    if (rank < p.n_ranks) parts[rank] = __ldcg(buffer_of(p, rank, turn) + pack);
  }
  float4 sum = parts[0];
#pragma unroll
  for (int rank = 1; rank < kMostRanks; ++rank) {
    if (rank >= p.n_ranks) continue;
    sum = {sum.x + parts[rank].x, sum.y + parts[rank].y, sum.z + parts[rank].z, sum.w + parts[rank].w};
  }
  return sum;
}

__device__ int64_t first_pack() { return static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; }
__device__ int64_t pack_step() { return static_cast<int64_t>(gridDim.x) * kThreads; }

__global__ __launch_bounds__(kThreads) void one_shot(const __grid_constant__ AllReduceLaunch p) {
  bool whole = true;
  const uint32_t turn = begin_turn(p, whole);
  const int64_t n_packs = (p.n + 3) / 4;
  if (whole) {
    float4* mine = buffer_of(p, p.rank, turn);
    for (int64_t pack = first_pack(); pack < n_packs; pack += pack_step()) mine[pack] = pack_of(p, pack);
    whole = meet(p, 0, turn);
  }
  if (whole) {
    for (int64_t pack = first_pack(); pack < n_packs; pack += pack_step()) store_pack(p, pack, sum_of(p, turn, pack));
  }
  end_turn(p, turn, whole);
}

// f(pack) for this thread's packs of a rank's slice.
template <class F>
__device__ void for_each_pack(const AllReduceLaunch& p, int rank, const F& f) {
  const int64_t n_packs = (p.n + 3) / 4, slice = (n_packs + p.n_ranks - 1) / p.n_ranks, begin = rank * slice;
  for (int64_t i = first_pack(); i < slice && begin + i < n_packs; i += pack_step()) f(begin + i);
}

__global__ __launch_bounds__(kThreads) void two_shot(const __grid_constant__ AllReduceLaunch p) {
  bool whole = true;
  const uint32_t turn = begin_turn(p, whole);
  float4* mine = buffer_of(p, p.rank, turn);
  if (whole) {
    for (int rank = 0; rank < p.n_ranks; ++rank)
      for_each_pack(p, rank, [&](int64_t pack) { mine[pack] = pack_of(p, pack); });
    whole = meet(p, 0, turn);
  }
  if (whole) {
    // Nobody else reads this slice of this window before the next meeting.
    for_each_pack(p, p.rank, [&](int64_t pack) { mine[pack] = sum_of(p, turn, pack); });
    whole = meet(p, 1, turn);
  }
  if (whole) {
    for (int rank = 0; rank < p.n_ranks; ++rank) {
      const float4* sums = buffer_of(p, rank, turn);
      for_each_pack(p, rank, [&](int64_t pack) { store_pack(p, pack, __ldcg(sums + pack)); });
    }
  }
  end_turn(p, turn, whole);
}

// Ranks launch the same number of blocks for the same n. All blocks of a launch run at a time on any card.
void launch(void (*kernel)(AllReduceLaunch), const AllReduceLaunch& p, int64_t n_packs) {
  const auto n_blocks = static_cast<int>(std::clamp<int64_t>((n_packs + kThreads - 1) / kThreads, 1, kMostBlocks));
  kernel<<<n_blocks, kThreads, 0, static_cast<cudaStream_t>(p.stream)>>>(p);
  demand(cudaGetLastError(), "an all-reduce cannot be launched");
}

}  // namespace

void launch_one_shot(const AllReduceLaunch& p) { launch(one_shot, p, (p.n + 3) / 4); }
void launch_two_shot(const AllReduceLaunch& p) { launch(two_shot, p, (p.n + 3) / 4 / p.n_ranks); }

}  // namespace ferry::cuda
