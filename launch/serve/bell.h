#pragma once
// Wakes the one coroutine that waits for something to happen on its thread.

#include "launch/serve/asio.h"

namespace ferry {

class Bell {
 public:
  explicit Bell(const asio::any_io_executor& executor) : timer_(executor, asio::steady_timer::time_point::max()) {}

  void ring() {
    rung_ = true;
    timer_.cancel();
  }
  // Returns when it rang since the last call, at once if it has already.
  asio::awaitable<void> wait() {
    while (!rung_) {
      error_code woken;
      co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
    rung_ = false;
  }

 private:
  asio::steady_timer timer_;
  bool rung_ = false;
};

}  // namespace ferry
