#pragma once
// Runs a kernel on the CPU: block after block in a random order, every thread of a block a fiber. A thread runs until
// it meets others (a barrier, a shuffle, a product of its warp) or ends; which one runs next is drawn from a seed, also
// within a warp. So a thread that reads what another has not written yet, because a barrier is missing, does read it in
// some order. Shared memory has exactly the bytes that the launch named and starts as values that are not numbers;
// AddressSanitizer knows the fibers. A meeting that not all threads come to ends the program. An asynchronous copy is
// done as late as its thread's wait allows, and what it overwrites is gone at once.
//
// One launch at a time in a process.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "kernels/cuda/launch_shape.h"

namespace ferry::emulator {

// After so many calls of the runtime the card is lost: these and all after them fail. Negative: it stays.
void lose_card_after(int n_calls);

// More than that at a time is not pinned from now on.
void pin_at_most(size_t n_bytes);

// Of the card's memory, the most that was taken at a time since the last call of this.
size_t most_taken_bytes();

// The order of threads in all launches from now on.
void shuffle_threads(uint64_t seed);

void run(const cuda::LaunchShape& shape, const std::function<void()>& kernel_thread);

struct Index {
  unsigned x = 0, y = 0, z = 0;
};
struct Place {  // of the thread that runs
  Index thread, block, n_threads;
};
inline Place place;

std::byte* shared_memory(size_t n_bytes);
void meet_block();

// Asynchronous copies of 16 bytes to shared memory, of the thread that runs: in groups, of which it may wait for all
// but the newest.
void begin_copy(std::byte* to_shared, const std::byte* from);  // from null: zeros
void end_copy_group();
void finish_copies(size_t n_newest_left);

// All lanes of a warp meet: each hands in words, the last one computes what each gets back.
using Words = std::array<uint32_t, 10>;
using WarpWords = std::array<Words, cuda::kWarp>;
enum class Meeting : uint8_t { none, barrier, shuffle, vote, load, bf16_product, f16_product };
Words meet_warp(Meeting kind, const Words& mine, void (*compute)(WarpWords& words));

}  // namespace ferry::emulator
