#include "kernels/cpu/thread_pool.h"

#include "core/base/check.h"

namespace ferry {
namespace {

constexpr uint32_t kOpen = 1;
constexpr uint32_t kStop = 2;
constexpr uint32_t kInside = 4;  // one thread
constexpr uint32_t kInsideMask = 0xfffc;
constexpr uint32_t kJob = 0x10000;
constexpr uint32_t kJobMask = 0xffff0000;

constexpr int kPauses = 200;  // some microseconds: the usual gap between two operations of a step
constexpr int kYields = 50;   // then the core goes to whoever wants it; ranks may be more than cores

void pause() { __builtin_ia32_pause(); }

// Waits until done(state), first awake.
template <class Done>
uint32_t wait_until(const std::atomic<uint32_t>& state, const Done& done) {
  uint32_t seen = state.load(std::memory_order_acquire);
  for (int i = 0; i < kPauses + kYields && !done(seen); ++i) {
    if (i < kPauses) {
      pause();
    } else {
      std::this_thread::yield();
    }
    seen = state.load(std::memory_order_acquire);
  }
  while (!done(seen)) {
    state.wait(seen, std::memory_order_acquire);
    seen = state.load(std::memory_order_acquire);
  }
  return seen;
}

}  // namespace

ThreadPool::ThreadPool(int n_threads) {
  constexpr int kMostThreads = 4096;  // that bits 2–15 count
  check(n_threads >= 1 && n_threads <= kMostThreads, "a pool of 1 to 4096 threads");
  for (int thread = 1; thread < n_threads; ++thread) threads_.emplace_back([this, thread] { serve(thread); });
}

ThreadPool::~ThreadPool() {
  state_.fetch_or(kStop, std::memory_order_release);
  state_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::run(const Job& job) {
  job_ = job;
  next_.store(0, std::memory_order_relaxed);
  // The last job is closed and nobody is inside: only its number is left in the state.
  state_.store((state_.load(std::memory_order_relaxed) + kJob) | kOpen, std::memory_order_release);
  state_.notify_all();
  take_ranges(0);
  state_.fetch_and(~kOpen, std::memory_order_relaxed);
  wait_until(state_, [](uint32_t state) { return (state & kInsideMask) == 0; });
}

void ThreadPool::take_ranges(int thread) {
  for (;;) {
    const int64_t begin = next_.fetch_add(job_.grain, std::memory_order_relaxed);
    if (begin >= job_.n) return;
    job_.call(job_.f, begin, std::min(begin + job_.grain, job_.n), thread);
  }
}

void ThreadPool::serve(int thread) {
  uint32_t last = 0;
  for (;;) {
    uint32_t seen = wait_until(state_, [last](uint32_t state) {
      return (state & kStop) != 0 || ((state & kOpen) != 0 && (state & kJobMask) != last);
    });
    if ((seen & kStop) != 0) return;
    if (!state_.compare_exchange_weak(seen, seen + kInside, std::memory_order_acquire)) continue;
    last = seen & kJobMask;
    take_ranges(thread);
    const uint32_t before = state_.fetch_sub(kInside, std::memory_order_release);
    if ((before & kInsideMask) == kInside) state_.notify_all();  // the last one out: the caller may be asleep
  }
}

}  // namespace ferry
