#pragma once
// A fixed number of threads that share out ranges of work, the calling one among them. A call allocates nothing and
// takes about a microsecond when the others are awake. They wait for the next call a moment awake, giving way to
// whoever wants the core, then asleep. A thread that comes too late to find work is not waited for.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace ferry {

class ThreadPool {
 public:
  explicit ThreadPool(int n_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int n_threads() const { return static_cast<int>(threads_.size()) + 1; }

  // f(begin, end, thread): parts of [0, n) of `grain` or fewer, in any order, at once; thread in [0, n_threads()).
  // Returns when all are done. Only one thread may call, and not from within f.
  template <class F>
  void for_each_range(int64_t n, int64_t grain, const F& f) {
    if (threads_.empty() || n <= grain) {
      if (n > 0) f(int64_t{0}, n, 0);
      return;
    }
    run({&f,
         [](const void* g, int64_t begin, int64_t end, int thread) { (*static_cast<const F*>(g))(begin, end, thread); },
         n, grain});
  }

 private:
  struct Job {
    const void* f = nullptr;
    void (*call)(const void* f, int64_t begin, int64_t end, int thread) = nullptr;
    int64_t n = 0;
    int64_t grain = 1;
  };

  void run(const Job& job);
  void take_ranges(int thread);
  void serve(int thread);

  Job job_;                        // written only while no thread is inside
  std::atomic<int64_t> next_ = 0;  // first index of job_ that nobody took
  // Bit 0: the job is open for threads to join. Bit 1: stop. Bits 2–15: threads inside. Bits 16–31: number of the job.
  std::atomic<uint32_t> state_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace ferry
