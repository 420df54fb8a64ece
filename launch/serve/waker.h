#pragma once
// Wakes the thread of serving from others. However often that happens before it is awake, it wakes once.

#include <atomic>
#include <functional>
#include <utility>

#include "launch/serve/asio.h"

namespace ferry {

class Waker {
 public:
  // `io` outlives it, and whoever wakes does not: made before the streams of leaders, and gone after them.
  explicit Waker(asio::io_context& io) : io_(io) {}
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;

  void wake() {  // from any thread
    if (woken_.exchange(true)) return;
    asio::post(io_, [this] {
      woken_ = false;  // before it looks: what comes meanwhile is a reason to look again
      if (look_) look_();
    });
  }

  // What to do when it was woken. Before io runs, or from its thread.
  void when_woken(std::function<void()> look) { look_ = std::move(look); }

 private:
  asio::io_context& io_;
  std::function<void()> look_;
  std::atomic<bool> woken_ = false;
};

}  // namespace ferry
