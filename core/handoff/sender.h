#pragma once
// The prefill end of handoffs, on the prefill leader: keeps a prompt's pages while any rank may still read them for a
// put. They go back when the decode side has said Received, or, for an attempt that was given up, when every rank has
// nothing of it in flight, or when the decode group is gone and disconnected. Pure.

#include <map>
#include <set>
#include <vector>

#include "core/engine/step.h"
#include "core/kv/page_allocator.h"
#include "core/seam/clock.h"

namespace ferry {

class Sender {
 public:
  explicit Sender(int n_ranks) : n_ranks_(n_ranks) {}

  // The prompt is computed and all its puts are posted.
  void sealed(const wire::Attempt& attempt, GroupId group, PageLease lease, Instant deadline);
  void received(const wire::Attempt& attempt);

  // The attempt ends without Received; the ranks are told with the next step. `lease`: of a prompt that was not sealed.
  void give_up(const wire::Attempt& attempt, GroupId group, PageLease lease);
  // Nothing happens for an attempt that was not sealed.
  void give_up(const wire::Attempt& attempt);
  void give_up_all();
  bool knows(const wire::Attempt& attempt) const { return shipments_.contains(attempt); }
  void drained(const wire::Attempt& attempt, int rank);
  void forget(GroupId group);
  void expire(Instant now);  // gives up what nobody confirmed by its deadline

  std::vector<GiveUpOrder> take_give_ups();
  bool idle() const { return shipments_.empty(); }  // nothing is in flight

 private:
  struct Shipment {
    GroupId group = 0;
    PageLease lease;
    Instant deadline;
    std::set<int> draining;  // ranks that may have puts in flight; only once given up
    bool given_up = false;
  };
  const int n_ranks_;
  std::map<wire::Attempt, Shipment> shipments_;
  std::vector<GiveUpOrder> give_ups_;
};

}  // namespace ferry
