#pragma once
// The ranks of one host add up what their cards have by reading each other's memory: over NVLink or PCIe, or on one
// card. Each rank has a window that the others have mapped; a sum goes through it:
//
//   one-shot  each copies its values into its window, and when all have, each sums all windows: reads n values a rank
//   two-shot  each sums a slice of all windows, in place, and when all have, each collects the slices: reads 2 n values
//             whatever the number of ranks, but all have to meet twice
//
// Sums are in rank order. A window has two buffers that take turns, so a rank may copy into one while others still read
// the other: who fills a buffer again has met all others in the turn between, where they were done with it. Turns are
// counted on the card, so that a captured graph counts on.
//
// Blocks meet the same block of other ranks, not all of them: element i is the business of the same block everywhere.

#include <cstddef>
#include <cstdint>

namespace ferry::cuda {

constexpr int kMostRanks = 8;  // that share a window each: what NVLink joins on most hosts
constexpr int kMostBlocks = 32;
constexpr int kMeetings = 2;  // of a turn, at most

// At the beginning of a window. Others write `arrived`, the rest is the rank's own.
struct WindowHead {
  uint32_t arrived[kMeetings][kMostBlocks][kMostRanks];  // the last turn that each rank has come to
  uint32_t turn;                                         // the last that was finished
  uint32_t n_blocks_done;                                // of the one that runs
  uint32_t failed;                                       // one did: nobody waits any more
};
constexpr size_t kHeadBytes = 4096;
static_assert(sizeof(WindowHead) <= kHeadBytes);

// Memory of the host, which the card sees.
struct HostWords {
  volatile uint32_t give_up;  // written by the host: the group has failed
  volatile uint32_t missing;  // written by the card: 1 + the rank that did not come in time
};

struct AllReduceLaunch {
  float* values = nullptr;              // [n]
  int64_t n = 0;                        // at most what a buffer holds
  std::byte* windows[kMostRanks] = {};  // by rank
  size_t buffer_bytes = 0;              // of each of a window's two, a multiple of 16
  int rank = 0;
  int n_ranks = 1;
  uint64_t patience_ns = 0;  // with a rank that does not come
  HostWords* words = nullptr;
  void* stream = nullptr;  // a cudaStream_t
};

// Moves n values into the window and n · n_ranks, or 2 n, out of windows.
void launch_one_shot(const AllReduceLaunch& p);
void launch_two_shot(const AllReduceLaunch& p);

}  // namespace ferry::cuda
