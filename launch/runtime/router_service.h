#pragma once
// A router at work: its policy object between the streams of the leaders and whoever asks for tokens.

#include "core/router/router.h"
#include "core/seam/control_stream.h"

namespace ferry {

class RouterService {
 public:
  RouterService(Router& router, ControlStream& leaders) : router_(router), leaders_(leaders) {}

  // Takes what leaders say, for at most `patience` when they say nothing; then sends what the router has for them.
  void turn(Duration patience);
  void send();  // what the router has for them

  // Ends every group that joined.
  void stop_groups();

 private:
  void turn_away(const StreamRefused& refused);

  Router& router_;
  ControlStream& leaders_;
  uint64_t n_refused_ = 0;  // that were no leaders of ours
};

}  // namespace ferry
