#pragma once
// One life of a process: it runs, stands still, or has ended.

#include <vector>

#include "tests/sim/schedule.h"
#include "tests/sim/timeline.h"

namespace ferry::sim {

class Process {
 public:
  explicit Process(Host host) : host_(host) {}
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  Host host() const { return host_; }
  bool running() const { return !paused_ && !ended_; }
  bool paused() const { return paused_ && !ended_; }
  bool ended() const { return ended_; }

  // Now, or when the process goes on; never, if it ends before.
  void when_running(Event event) {
    if (running()) {
      event();
    } else if (!ended_) {
      held_.push_back(std::move(event));
    }
  }
  void pause() { paused_ = true; }
  void resume() {
    paused_ = false;
    for (const Event& event : std::exchange(held_, {})) when_running(event);
  }
  void end() {
    ended_ = true;
    held_.clear();
  }

 private:
  const Host host_;
  bool paused_ = false;
  bool ended_ = false;
  std::vector<Event> held_;
};

}  // namespace ferry::sim
