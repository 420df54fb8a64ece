// The best of rows of logits, and sums of their exponentials: bound by memory, 4 bytes a logit. Twice, in small part:
//
// The first kernel reads every logit once and says the largest of each group of kGroup, and the sums of each chunk. The
// n best logits of a row are in the n best groups, the lowest first among equals: each group before that of one of them
// has a better one. So the second kernel, a block a row, finds those and reads only them again; hardly more than n of
// their logits are as good as the last group's best one.

#include "core/base/check.h"
#include "kernels/cuda/language.h"
#include "kernels/cuda/launches.h"
#include "kernels/cuda/warp.h"

namespace ferry::cuda {
namespace {

constexpr int kGroup = 128;  // logits
constexpr int kMostGroups = 4096;
constexpr int kChunkGroups = 4;  // that a warp takes at once
constexpr int kChunk = kChunkGroups * kGroup;
constexpr int kScanThreads = 256;
constexpr int kScanWarps = kScanThreads / kWarp;

constexpr int kThreads = 512;                           // of the second kernel
constexpr int kMostChosen = kMostBest + 16;             // groups
constexpr int kEach = kMostChosen * kGroup / kThreads;  // logits of a thread
constexpr int kTogether = 4;                            // of them that are looked at between two barriers
static_assert(kEach % kTogether == 0 && kThreads * kTogether * 2 <= kMostGroups);

constexpr float kLog2E = 1.44269504f;
constexpr uint32_t kMinusInfinityBits = 0xff800000;

struct TopTask {
  TopLogits p;
  int n_chunks = 0;
  float* largest = nullptr;  // [n_rows, n_chunks, kChunkGroups]
  float* sums = nullptr;     // [n_rows, n_chunks, 2], of exp(logit − the chunk's largest), as in TopLogits
};

__device__ inline float lowest() { return f32_of_bits(kMinusInfinityBits); }

__device__ inline float in_powers_of_two(float scale) {
  constexpr float kMost = 2e38f;  // finite when multiplied: 0 times it is 0
  return fminf(scale, kMost) * kLog2E;
}

// A logit that is no number is as low as can be.
__device__ inline float logit_at(const TopLogits& p, int row, int id) {
  return id < p.n_vocab ? fmaxf(p.logits[static_cast<int64_t>(row) * p.n_vocab + id], lowest()) : lowest();
}

// Four groups a warp: 16 logits of each lane are on their way at once.
template <bool kSums>
__global__ void __launch_bounds__(kScanThreads) scan_logits(const TopTask task) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, row = static_cast<int>(blockIdx.y);
  const int chunk = static_cast<int>(blockIdx.x) * kScanWarps + static_cast<int>(threadIdx.x) / kWarp;
  if (chunk >= task.n_chunks) return;
  constexpr int kLogits = kGroup / kWarp;
  float x[kChunkGroups][kLogits];
#pragma unroll
  for (int g = 0; g < kChunkGroups; ++g) {
#pragma unroll
    for (int i = 0; i < kLogits; ++i) x[g][i] = logit_at(task.p, row, chunk * kChunk + g * kGroup + i * kWarp + lane);
  }
  float largest[kChunkGroups];
#pragma unroll
  for (int g = 0; g < kChunkGroups; ++g) {
    largest[g] = x[g][0];
#pragma unroll
    for (int i = 1; i < kLogits; ++i) largest[g] = fmaxf(largest[g], x[g][i]);
    largest[g] = largest_of_warp(largest[g]);
  }
  const int64_t place = static_cast<int64_t>(row) * task.n_chunks + chunk;
  if (lane == 0) {
    reinterpret_cast<float4*>(task.largest)[place] = make_float4(largest[0], largest[1], largest[2], largest[3]);
  }
  if constexpr (kSums) {
    const float top = fmaxf(fmaxf(largest[0], largest[1]), fmaxf(largest[2], largest[3]));
    const float scale = task.p.scales[row];
    float plain = 0, scaled = 0;
    if (top > lowest()) {
#pragma unroll
      for (int g = 0; g < kChunkGroups; ++g) {
#pragma unroll
        for (int i = 0; i < kLogits; ++i) plain += exp2f((x[g][i] - top) * kLog2E);
      }
      if (scale != 1) {  // of all lanes alike
        const float factor = in_powers_of_two(scale);
#pragma unroll
        for (int g = 0; g < kChunkGroups; ++g) {
#pragma unroll
          for (int i = 0; i < kLogits; ++i) scaled += exp2f((x[g][i] - top) * factor);
        }
      }
    }
    plain = total_of_warp(plain);
    scaled = scale != 1 ? total_of_warp(scaled) : plain;
    if (lane == 0) {
      task.sums[2 * place] = plain;
      task.sums[2 * place + 1] = scaled;
    }
  }
}

// Sorts as (value, lowest id first): the better, the larger. 0 is below all.
__device__ inline uint64_t key_of(float value, int id) {
  const uint32_t bits = bits_of_f32(value + 0.0f);  // −0 is 0
  const uint32_t ordered = bits >> 31 ? ~bits : bits | 0x80000000;
  return static_cast<uint64_t>(ordered) << 32 | ~static_cast<uint32_t>(id);
}
__device__ inline int id_of(uint64_t key) { return static_cast<int>(~static_cast<uint32_t>(key)); }
__device__ inline float value_of(uint64_t key) {
  const auto ordered = static_cast<uint32_t>(key >> 32);
  return f32_of_bits(ordered >> 31 ? ordered & 0x7fffffff : ~ordered);
}

__device__ inline int power_of_two_from(int n) {
  int power = 1;
  while (power < n) power *= 2;
  return power;
}

// Bitonic, the largest first; n is a power of two. A step whose pairs are at most a warp's threads apart stays within
// what the warp had in the step before.
__device__ inline void sort_keys(uint64_t* keys, int n) {
  int before = kMostGroups;  // distance
  for (int run = 2; run <= n; run *= 2) {
    for (int distance = run / 2; distance > 0; distance /= 2) {
      if (distance > kWarp || before > kWarp) {
        __syncthreads();
      } else {
        __syncwarp();
      }
      before = distance;
      for (int i = static_cast<int>(threadIdx.x); i < n / 2; i += kThreads) {
        const int low = 2 * i - (i & (distance - 1)), high = low + distance;
        const uint64_t a = keys[low], b = keys[high];
        if ((a < b) == ((low & run) == 0)) {
          keys[low] = b;
          keys[high] = a;
        }
      }
    }
  }
  __syncthreads();
}

__device__ inline void largest_key_first(uint64_t* keys, int n) {
  for (int half = n / 2; half > 0; half /= 2) {
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < half; i += kThreads) keys[i] = max(keys[i], keys[i + half]);
  }
  __syncthreads();
}

struct ChooseShared {
  uint64_t keys[kMostGroups];  // of groups, then of logits
  int groups[kMostChosen];
  float sums[2][kThreads / kWarp];
  float top;
  int n_groups;  // chosen
  int n_found;   // keys of logits
};

// The high words that n_least to n_most keys reach, found by halving; 0: there are none, as among equals.
__device__ inline uint32_t reached_by(const uint64_t* keys, int n_keys, int n_least, int n_most) {
  uint32_t low = 0, high = 0xffffffff;  // too many reach the one, too few the other
  while (high - low > 1) {
    const uint32_t middle = low + (high - low) / 2;
    int n = 0;
    for (int begin = 0; begin < n_keys; begin += kThreads) {
      const int i = begin + static_cast<int>(threadIdx.x);
      n += __syncthreads_count(i < n_keys && static_cast<uint32_t>(keys[i] >> 32) >= middle);
    }
    if (n >= n_least && n <= n_most) return middle;
    (n > n_most ? low : high) = middle;
  }
  return 0;
}

// The best groups of a row, and perhaps some more; returns what a logit must reach to be among the best.
__device__ inline float choose_groups(const TopTask& task, int row, ChooseShared& shared) {
  const int thread = static_cast<int>(threadIdx.x);
  const int n_groups = (task.p.n_vocab + kGroup - 1) / kGroup, n_keys = power_of_two_from(n_groups);
  const int n_wanted = min(task.p.n_best, n_groups);
  const float* largest = task.largest + static_cast<int64_t>(row) * task.n_chunks * kChunkGroups;
  for (int i = thread; i < n_keys; i += kThreads) shared.keys[i] = i < n_groups ? key_of(largest[i], i) : 0;
  if (thread == 0) shared.n_groups = shared.n_found = 0;
  __syncthreads();
  if (task.p.n_best == 1) {
    largest_key_first(shared.keys, n_keys);
  } else if (n_groups > kMostChosen) {
    const uint32_t reached = reached_by(shared.keys, n_keys, n_wanted, kMostChosen);
    for (int i = thread; i < n_keys && reached > 0; i += kThreads) {
      if (static_cast<uint32_t>(shared.keys[i] >> 32) >= reached) shared.groups[atomicAdd(&shared.n_groups, 1)] = i;
    }
    if (reached > 0) return value_of(static_cast<uint64_t>(reached) << 32);
    sort_keys(shared.keys, n_keys);
  } else {
    sort_keys(shared.keys, n_keys);
  }
  if (thread < n_wanted) shared.groups[thread] = id_of(shared.keys[thread]);
  if (thread == 0) shared.n_groups = n_wanted;
  return n_wanted < task.p.n_best ? lowest() : value_of(shared.keys[n_wanted - 1]);
}

// Of a row, from those of its chunks.
__device__ inline void total_sums(const TopTask& task, int row, float top, ChooseShared& shared) {
  const int thread = static_cast<int>(threadIdx.x);
  const float scale = task.p.scales[row];
  float plain = 0, scaled = 0;
  for (int chunk = thread; chunk < task.n_chunks; chunk += kThreads) {
    const int64_t place = static_cast<int64_t>(row) * task.n_chunks + chunk;
    const float4 m = reinterpret_cast<const float4*>(task.largest)[place];
    const float below = fmaxf(fmaxf(m.x, m.y), fmaxf(m.z, m.w)) - top;
    if (!(below > lowest())) continue;  // nothing but −infinity, here or in all of the row
    plain = fmaf(task.sums[2 * place], exp2f(below * kLog2E), plain);
    scaled = fmaf(task.sums[2 * place + 1], exp2f(below * in_powers_of_two(scale)), scaled);
  }
  plain = total_of_warp(plain);
  scaled = total_of_warp(scaled);
  if (thread % kWarp == 0) {
    shared.sums[0][thread / kWarp] = plain;
    shared.sums[1][thread / kWarp] = scaled;
  }
  __syncthreads();
  if (thread < 2) {
    float total = 0;
    for (const float sum : shared.sums[thread]) total += sum;
    task.p.sums[2 * row + thread] = total;
  }
}

// Only the n best of the keys that were found; returns the last of these, or 0 where there are fewer.
__device__ inline uint64_t keep_best(ChooseShared& shared, int n_best) {
  const int n_found = shared.n_found, n_keys = power_of_two_from(max(n_found, n_best));
  for (int i = n_found + static_cast<int>(threadIdx.x); i < n_keys; i += kThreads) shared.keys[i] = 0;
  sort_keys(shared.keys, n_keys);
  if (threadIdx.x == 0) shared.n_found = min(n_found, n_best);
  return shared.keys[n_best - 1];
}

// Each key finds its place by itself: there are hardly more than are wanted.
__device__ inline void write_best(const TopLogits& p, int row, ChooseShared& shared) {
  const int thread = static_cast<int>(threadIdx.x), n_found = shared.n_found;
  int* ids = p.ids + static_cast<int64_t>(row) * p.n_best;
  float* best = p.best + static_cast<int64_t>(row) * p.n_best;
  if (thread < n_found) {
    const uint64_t key = shared.keys[thread];
    int place = 0;
    for (int i = 0; i < n_found; ++i) place += shared.keys[i] > key ? 1 : 0;
    if (place == 0) shared.top = value_of(key);
    if (place < p.n_best) {
      ids[place] = p.first_id + id_of(key);
      best[place] = value_of(key);
    }
  }
  for (int i = n_found + thread; i < p.n_best; i += kThreads) {
    ids[i] = -1;
    best[i] = lowest();
  }
}

__global__ void __launch_bounds__(kThreads) choose_logits(const TopTask task) {
  ChooseShared& shared = shared_memory<ChooseShared>();
  const TopLogits& p = task.p;
  const int thread = static_cast<int>(threadIdx.x), row = static_cast<int>(blockIdx.x);
  const float worst_group = choose_groups(task, row, shared);
  __syncthreads();

  const int n_logits = shared.n_groups * kGroup;
  uint64_t found[kEach];
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const int place = i * kThreads + thread;
    const int id = place < n_logits ? shared.groups[place / kGroup] * kGroup + place % kGroup : p.n_vocab;
    const float value = logit_at(p, row, id);
    found[i] = id < p.n_vocab && value >= worst_group ? key_of(value, id) : 0;
  }
  uint64_t worst = 0;  // what follows has to be better
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    if (i % kTogether == 0) {
      __syncthreads();
      if (shared.n_found > kMostGroups - kTogether * kThreads) worst = max(worst, keep_best(shared, p.n_best));
      __syncthreads();
    }
    if (found[i] > worst) shared.keys[atomicAdd(&shared.n_found, 1)] = found[i];
  }
  __syncthreads();
  if (shared.n_found > kThreads) keep_best(shared, p.n_best);
  __syncthreads();
  write_best(p, row, shared);
  __syncthreads();
  if (p.n_best > 1) total_sums(task, row, shared.top, shared);
}

void launch_rows(const TopTask& task, Stream stream) {
  const LaunchShape shape = {{parts_of(task.n_chunks, kScanWarps), task.p.n_rows}, kScanThreads, 0, stream};
  if (task.p.n_best > 1) {
    launch(scan_logits<true>, shape, task);
  } else {
    launch(scan_logits<false>, shape, task);
  }
  launch(choose_logits, {{task.p.n_rows}, kThreads, sizeof(ChooseShared), stream}, task);
}

}  // namespace

void launch_top_logits(const TopLogits& p, float* scratch, Stream stream) {
  check(p.n_best >= 1 && p.n_best <= kMostBest && p.n_vocab <= kMostGroups * kGroup, "a vocabulary as large as sorted");
  const int n_chunks = parts_of(p.n_vocab, kChunk);
  constexpr int kFloats = kChunkGroups + 2;  // of a chunk
  const int n_together = static_cast<int>(kTopScratchFloats) / (n_chunks * kFloats);
  for (int row = 0; row < p.n_rows; row += n_together) {
    const int64_t first = row;
    TopTask task = {.p = p, .n_chunks = n_chunks, .largest = scratch, .sums = nullptr};
    task.p.n_rows = std::min(n_together, p.n_rows - row);
    task.p.logits += first * p.n_vocab;
    task.p.ids += first * p.n_best;
    task.p.best += first * p.n_best;
    if (p.n_best > 1) {
      task.p.scales += first;
      task.p.sums += 2 * first;
    }
    task.sums = scratch + static_cast<int64_t>(task.p.n_rows) * n_chunks * kChunkGroups;
    launch_rows(task, stream);
  }
}

}  // namespace ferry::cuda
