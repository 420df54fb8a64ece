#pragma once
// Control streams over the simulated network: leaders dial the router, again and again. In order and whole, but for
// what the weather does to single messages; a stream that breaks is noticed at its ends at different times.

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/seam/control_stream.h"
#include "tests/sim/process.h"
#include "tests/sim/weather.h"

namespace ferry::sim {

class Switchboard;

class SimControl final : public ControlStream {
 public:
  // Both outlive it.
  SimControl(Switchboard& switchboard, Process& process) : switchboard_(switchboard), process_(process) {}

  void send(StreamId stream, std::string message) override;
  void close(StreamId stream) override;
  std::optional<ControlEvent> poll() override;
  std::optional<ControlEvent> wait(Duration) override { return poll(); }

  std::function<void()> on_event = [] {};  // there is something to poll

  // The switchboard's side.
  Process& process() { return process_; }
  bool connected() const { return n_open_ > 0; }
  void tell(ControlEvent event);

 private:
  Switchboard& switchboard_;
  Process& process_;
  std::deque<ControlEvent> events_;
  int n_open_ = 0;
};

class Switchboard {
 public:
  // All outlive it.
  Switchboard(const Schedule& schedule, Timeline& timeline, Weather& weather, Random& random)
      : schedule_(schedule), timeline_(timeline), weather_(weather), random_(random) {}

  void listen(SimControl& router) { router_ = &router; }
  void dial(SimControl& leader);  // now, and again whenever it has no stream, until its process ends

  void ended(const Process& process);
  void paused(const Process& process) { ended(process); }
  void parted(Host a, Host b);
  void break_stream_of(Host group);

  // What the ends ask for.
  void send(SimControl& from, StreamId stream, std::string message);
  void close(SimControl& by, StreamId stream);

 private:
  struct End {
    SimControl* control = nullptr;
    bool open = true;
    bool greeted = false;  // the first message is part of dialling: nothing happens to it alone
    Instant last_arrival;  // of what comes to this end
  };
  struct Stream {
    End leader, router;
    End& end_of(const SimControl& control) { return leader.control == &control ? leader : router; }
    End& other_than(const SimControl& control) { return leader.control == &control ? router : leader; }
    bool open() const { return leader.open && router.open; }
  };

  void dial_later(SimControl& leader);
  void open(SimControl& leader);
  void deliver(StreamId stream, SimControl& to, std::string message);
  void break_off(StreamId stream, const char* why);
  void close_end(StreamId stream, SimControl& at, std::string why);
  void suspect(StreamId stream);
  bool whole(const Stream& stream) const;

  const Schedule& schedule_;
  Timeline& timeline_;
  Weather& weather_;
  Random& random_;
  SimControl* router_ = nullptr;
  std::deque<Stream> streams_;  // by id
};

}  // namespace ferry::sim
