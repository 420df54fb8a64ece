#pragma once
// A group whose ranks are threads of this process: the whole of tensor parallelism in one test, under a sanitizer.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/seam/clock.h"
#include "core/seam/communicator.h"

namespace ferry {

class ThreadGroup {
 public:
  explicit ThreadGroup(int size, Duration timeout = std::chrono::seconds(30));
  ~ThreadGroup();
  ThreadGroup(const ThreadGroup&) = delete;
  ThreadGroup& operator=(const ThreadGroup&) = delete;

  // Each is for one thread at a time, and lives as long as the group.
  Communicator& communicator(int rank);

  // Every rank that waits, or will, gets an Error that says why: this is how the death of a rank looks to the others.
  void abort(const std::string& why);

  // Runs `body` on one thread a rank. If one throws, the group is aborted, and when all have ended what was thrown
  // first is thrown here.
  void run(const std::function<void(Communicator&)>& body);

 private:
  class Meeting;
  class Rank;

  std::unique_ptr<Meeting> meeting_;
  std::vector<std::unique_ptr<Rank>> ranks_;
};

}  // namespace ferry
