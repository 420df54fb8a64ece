#pragma once
// The prefill end of handoffs, on the prefill leader: keeps a prompt's pages while any rank may still read them for a
// put. They go back when no rank has anything of it in flight, or when the channel to the decode group is closed; what
// the decode side makes of it does not matter any more, and the pages can still be found by their content. Pure.
//
// A ticket is begun or given up once: whatever comes late or twice does not begin it again.

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "core/engine/step.h"
#include "core/kv/page_allocator.h"
#include "core/seam/clock.h"

namespace ferry {

// Which serial numbers of a pairing were used. Remembers the newest ones; what is older counts as used.
class UsedSerials {
 public:
  bool use(uint32_t serial);  // false: it was used

 private:
  static constexpr size_t kMost = 4096;
  std::set<uint32_t> used_;
  uint32_t oldest_ = 0;  // all up to this one count as used
};

class Sender {
 public:
  explicit Sender(int n_ranks) : n_ranks_(n_ranks) {}

  // The ticket's prompt will be computed. False: it was begun, or given up, before.
  bool begin(const wire::TicketName& ticket, GroupId group) { return used_[group].use(ticket.serial); }
  // The prompt is computed and all its puts are ordered.
  void sealed(const wire::TicketName& ticket, GroupId group, PageLease lease, Instant deadline);
  // The ticket ends before that; the ranks are told with the next step. `lease`: of a prompt that was not sealed.
  void give_up(const wire::TicketName& ticket, GroupId group, PageLease lease);
  // Of a prompt that was sealed. False: there is none.
  bool give_up(const wire::Attempt& attempt);
  void give_up_all();
  void expire(Instant now);  // gives up what did not land by its deadline

  void drained(const wire::TicketName& ticket, int rank);  // the rank has nothing of it in flight
  void lost(GroupId group);
  void closed(GroupId group);  // nothing reads pages for it any more

  std::vector<GiveUpOrder> take_give_ups() { return std::exchange(give_ups_, {}); }
  std::vector<wire::Attempt> take_ended() { return std::exchange(ended_, {}); }  // given up, and nothing left
  bool idle() const { return shipments_.empty(); }                               // nothing is in flight
  int n_shipping() const { return static_cast<int>(shipments_.size()); }

 private:
  struct Shipment {
    GroupId group = 0;
    PageLease lease;
    Instant deadline;
    std::set<int> draining;  // ranks that may have puts in flight
    bool given_up = false;
  };
  using Shipments = std::map<wire::TicketName, Shipment>;
  using Entry = Shipments::iterator;
  std::set<int> all_ranks() const;
  void give_up(Entry entry);
  Entry end(Entry entry);

  const int n_ranks_;
  Shipments shipments_;
  std::map<GroupId, UsedSerials> used_;
  std::vector<GiveUpOrder> give_ups_;
  std::vector<wire::Attempt> ended_;
};

}  // namespace ferry
