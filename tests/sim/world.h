#pragma once
// A schedule at work: groups, routers and clients on a simulated network, faults at their times, and what must hold
// after every event.

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/fabric.h"
#include "tests/sim/sim_control.h"
#include "tests/sim/sim_group.h"
#include "tests/sim/sim_router.h"
#include "tests/sim/surroundings.h"

namespace ferry::sim {

class World {
 public:
  // The schedule outlives the world.
  explicit World(const Schedule& schedule, std::ostream* log = nullptr);

  // To the end of the storm, until everything has come to rest, and until the cluster has shown that it still serves.
  // Throws Violation.
  void run();

  // For who wants to look in between.
  void run_for(Duration duration);
  // Whether it comes to that; looks this often.
  bool wait_for(const std::function<bool()>& condition, Duration patience,
                Duration look = std::chrono::microseconds(50));
  void begin(const Fault& fault);  // now, whatever its time
  bool at_rest();

  SimGroup& group(Host host) { return *groups_[host].back(); }
  SimRouter& router() { return *routers_.back(); }
  int64_t n_events() const { return timeline_.n_events(); }
  struct Count {
    int asked = 0;
    int served = 0;  // got the whole answer
  };
  Count requests() const;

 private:
  void start(Host group);
  void start_router();
  void crash(const Fault& fault);
  void pause(const Fault& fault);
  Process& process_at(Host host);
  void come_to_rest();
  void serve_again();
  using Paths = std::set<std::pair<std::string, std::string>>;  // names of groups, prefill and decode
  Paths paths();
  Paths paths_to_come();
  void step();

  const Schedule& schedule_;
  Random random_;
  Timeline timeline_;
  Weather weather_;
  Log log_;
  const Surroundings around_;
  Fabric fabric_;
  Switchboard switchboard_;
  uint64_t next_epoch_ = 1;
  std::vector<std::vector<std::unique_ptr<SimGroup>>> groups_;  // by host, all their lives
  std::vector<std::unique_ptr<SimRouter>> routers_;
};

}  // namespace ferry::sim
