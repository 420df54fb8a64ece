#include "core/engine/leader.h"

#include "core/base/codec.h"

namespace ferry {

Leader::Turn Leader::turn() {
  exchange_with_leaders();
  engine_.tick();
  const auto step = engine_.next_step();
  if (!step) {
    exchange_with_leaders();
    return shipper_.busy() ? Turn::busy : Turn::idle;
  }
  bytes_ = pack(*step);
  group_.broadcast(bytes_, [] {});
  const StepResult result = rank_.run(*step, bytes_);
  engine_.finish(result, rank_.asked_logits(step->batch, engine_.choose(result.digests)));
  exchange_with_leaders();
  return step->last ? Turn::last : Turn::busy;
}

void Leader::exchange_with_leaders() {
  shipper_.progress();
  for (const PeerMessage& m : shipper_.take_messages()) engine_.handle(m.from, m.message);
  for (const LeaderMessage& m : engine_.take_to_leaders()) shipper_.send_to_leader(m.group, m.message);
}

}  // namespace ferry
