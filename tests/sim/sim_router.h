#pragma once
// One life of the router's process: a real router, the control streams to its groups, and its clients.

#include "core/router/router.h"
#include "tests/sim/clients.h"
#include "tests/sim/sim_control.h"
#include "tests/sim/surroundings.h"

namespace ferry::sim {

class SimRouter {
 public:
  // All outlive the router.
  SimRouter(const Surroundings& around, uint64_t epoch, Switchboard& switchboard);

  Process& process() { return process_; }
  const Router& router() const { return router_; }
  const Clients& clients() const { return clients_; }
  void wake();
  std::optional<RequestId> submit(const RequestPlan& plan);  // nullopt: it is not there
  void cancel(RequestId id);

 private:
  void tick();
  void turn();
  void hear(const ControlEvent& event);
  void send();

  const Surroundings around_;
  Process process_;
  SimControl control_;
  Router router_;
  Clients clients_;
  RequestId next_id_ = 1;  // a router that starts again begins with the same numbers
  bool turn_planned_ = false;
};

}  // namespace ferry::sim
