#include "kernels/cuda/host/emulator.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "kernels/cuda/host/fiber.h"

namespace ferry::emulator {
namespace {

using cuda::kWarp;

struct Warp {
  WarpWords words{};
  Meeting meeting = Meeting::none;  // that its lanes wait for
  std::vector<int> waiting;         // threads
};

struct Copy {
  std::byte* to = nullptr;
  const std::byte* from = nullptr;  // null: zeros
};
constexpr size_t kCopyBytes = 16;

// What a thread's asynchronous copies have not brought yet.
struct Copies {
  std::vector<Copy> open;  // of no group yet
  std::deque<std::vector<Copy>> groups;
};

// The block that runs. Its parts are kept from one block to the next.
class Block {
 public:
  void run(const cuda::LaunchShape& shape, const std::function<void()>& kernel_thread);
  void reseed(uint64_t seed) { random_.seed(seed); }
  std::mt19937_64& random() { return random_; }

  std::byte* shared(size_t n_bytes) const {
    check(n_bytes <= n_shared_, "a kernel uses no more shared memory than its launch named");
    return shared_.get();
  }
  void begin_copy(const Copy& copy);
  Copies& copies() { return copies_[static_cast<size_t>(thread_)]; }
  void meet();
  Words meet(Meeting kind, const Words& mine, void (*compute)(WarpWords&));

 private:
  void prepare(const cuda::LaunchShape& shape, const std::function<void()>& kernel_thread);
  void wake(std::vector<int>& waiting);
  void leave() {
    fibers_[static_cast<size_t>(thread_)].leave();
    place.thread.x = static_cast<unsigned>(thread_);
  }

  std::mt19937_64 random_;
  std::deque<Fiber> fibers_;
  std::vector<Warp> warps_;
  std::vector<Copies> copies_;  // of each thread
  std::vector<int> ready_;
  std::vector<int> at_barrier_;
  std::unique_ptr<std::byte[]> shared_;
  size_t n_shared_ = 0;
  int n_threads_ = 0;
  int thread_ = 0;  // that runs
};

Block& block() {
  static Block the_block;
  return the_block;
}

void Block::prepare(const cuda::LaunchShape& shape, const std::function<void()>& kernel_thread) {
  n_threads_ = shape.n_threads;
  while (static_cast<int>(fibers_.size()) < n_threads_) fibers_.emplace_back();
  copies_.assign(static_cast<size_t>(n_threads_), {});
  warps_.resize(static_cast<size_t>(cuda::parts_of(n_threads_, kWarp)));
  ready_.resize(static_cast<size_t>(n_threads_));
  std::iota(ready_.begin(), ready_.end(), 0);
  for (int t = 0; t < n_threads_; ++t) fibers_[static_cast<size_t>(t)].start(kernel_thread);
  n_shared_ = shape.shared_bytes;
  shared_.reset(new std::byte[n_shared_]);
  std::memset(shared_.get(), 0xff, n_shared_);
}

void Block::run(const cuda::LaunchShape& shape, const std::function<void()>& kernel_thread) {
  prepare(shape, kernel_thread);
  int n_ended = 0;
  while (!ready_.empty()) {
    std::swap(ready_[random_() % ready_.size()], ready_.back());
    thread_ = ready_.back();
    ready_.pop_back();
    place.thread.x = static_cast<unsigned>(thread_);
    Fiber& fiber = fibers_[static_cast<size_t>(thread_)];
    fiber.resume();
    n_ended += fiber.ended();
  }
  check(n_ended == n_threads_, "all threads of a block come to the same barriers");
}

void Block::wake(std::vector<int>& waiting) {
  ready_.insert(ready_.end(), waiting.begin(), waiting.end());
  waiting.clear();
}

void Block::begin_copy(const Copy& copy) {
  const auto aligned = [](const std::byte* at) { return reinterpret_cast<uintptr_t>(at) % kCopyBytes == 0; };
  check(copy.to >= shared_.get() && copy.to + kCopyBytes <= shared_.get() + n_shared_ && aligned(copy.to) &&
            aligned(copy.from),
        "a copy of 16 aligned bytes ends in shared memory");
  std::memset(copy.to, 0xff, kCopyBytes);
  copies().open.push_back(copy);
}

void Block::meet() {
  at_barrier_.push_back(thread_);
  if (static_cast<int>(at_barrier_.size()) == n_threads_) wake(at_barrier_);  // this thread, too: its turn is drawn
  leave();
}

Words Block::meet(Meeting kind, const Words& mine, void (*compute)(WarpWords&)) {
  check(n_threads_ % kWarp == 0, "warps are whole");
  Warp& warp = warps_[static_cast<size_t>(thread_ / kWarp)];
  const auto lane = static_cast<size_t>(thread_ % kWarp);
  check(warp.meeting == Meeting::none || warp.meeting == kind, "all lanes of a warp come to the same meeting");
  warp.meeting = kind;
  warp.words[lane] = mine;
  warp.waiting.push_back(thread_);
  if (warp.waiting.size() == kWarp) {
    compute(warp.words);
    warp.meeting = Meeting::none;
    wake(warp.waiting);
  }
  leave();
  return warp.words[lane];  // the lanes cannot all have come to the next meeting yet: this one has not
}

}  // namespace

void shuffle_threads(uint64_t seed) { block().reseed(seed); }

void run(const cuda::LaunchShape& shape, const std::function<void()>& kernel_thread) {
  const auto [nx, ny, nz] = shape.grid;
  std::vector<int> order(static_cast<size_t>(nx * ny * nz));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::shuffle(order, block().random());
  place.n_threads = {static_cast<unsigned>(shape.n_threads), 1, 1};
  for (const int i : order) {
    place.block = {static_cast<unsigned>(i % nx), static_cast<unsigned>(i / nx % ny),
                   static_cast<unsigned>(i / nx / ny)};
    block().run(shape, kernel_thread);
  }
}

std::byte* shared_memory(size_t n_bytes) { return block().shared(n_bytes); }
void begin_copy(std::byte* to_shared, const std::byte* from) { block().begin_copy({to_shared, from}); }
void end_copy_group() { block().copies().groups.push_back(std::exchange(block().copies().open, {})); }
void finish_copies(size_t n_newest_left) {
  std::deque<std::vector<Copy>>& groups = block().copies().groups;
  for (; groups.size() > n_newest_left; groups.pop_front()) {
    for (const Copy& copy : groups.front()) {
      if (copy.from != nullptr) std::memcpy(copy.to, copy.from, kCopyBytes);
      if (copy.from == nullptr) std::memset(copy.to, 0, kCopyBytes);
    }
  }
}

void meet_block() { block().meet(); }
Words meet_warp(Meeting kind, const Words& mine, void (*compute)(WarpWords&)) {
  return block().meet(kind, mine, compute);
}

}  // namespace ferry::emulator
