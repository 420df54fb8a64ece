#pragma once
// Rank 0's loop, one turn at a time: feeds the engine what the link brings, runs the step it asks for on all ranks,
// sends what it has to say to other leaders.

#include <string>

#include "core/engine/engine.h"
#include "core/engine/rank.h"

namespace ferry {

class Leader {
 public:
  // All outlive the leader.
  Leader(Engine& engine, Rank& rank, Communicator& group, Shipper& shipper)
      : engine_(engine), rank_(rank), group_(group), shipper_(shipper) {}

  // Idle: nothing to do but wait for messages. Last: the group's last step has run.
  enum class Turn : uint8_t { idle, busy, last };
  Turn turn();

 private:
  void exchange_with_leaders();

  Engine& engine_;
  Rank& rank_;
  Communicator& group_;
  Shipper& shipper_;
  std::string bytes_;  // of the step, as broadcast
};

}  // namespace ferry
