#pragma once
// The decode end of handoffs, on the decode leader: reserves pages, waits until every source rank's bytes have landed
// and the prompt is sealed, then yields the sequence. Pure: messages in, answers out; the clock is an argument.
//
// Pages go back only when no source can write them any more: each has said Landed, or its group is gone.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/kv/page_allocator.h"
#include "core/seam/clock.h"
#include "core/wire/messages.h"

namespace ferry {

class Receiver {
 public:
  Receiver(wire::GroupKey me, uint64_t model_hash, PageAllocator& pages, int page_tokens);

  // Pages for the whole sequence, the prompt's named in the ticket. nullopt: not that many are free now. `sources`: the
  // ranks of the prefill group that will write.
  std::optional<wire::Ticket> reserve(const wire::Reserve& order, std::set<int> sources, Instant deadline);

  // What is stale, doubled or unknown changes nothing.
  void landed(const wire::Landed& message, Instant now);
  void sealed(const wire::Sealed& message);

  // Ends an attempt here; its pages follow when they are safe.
  void abort(const wire::Attempt& attempt);
  void abort_all();
  // The prefill group is gone and disconnected. Returns the attempts that this ends.
  std::vector<wire::Attempt> forget(const wire::GroupKey& prefill);

  struct Arrival {
    wire::Reserve order;
    PageLease lease;
    Token first;
    wire::Bill bill;
    Instant landed;
    Instant deadline;
  };
  struct Failure {
    wire::Attempt attempt;
    std::string why;
  };
  std::vector<Arrival> take_arrivals();
  std::vector<Failure> take_failures();
  // Attempts whose deadline has passed, aborted by this call.
  std::vector<wire::Attempt> expire(Instant now);

  int n_reserved() const;     // live attempts
  int n_quarantined() const;  // pages of dead attempts that a source may still write

 private:
  struct Reservation {
    wire::Reserve order;
    PageLease lease;
    Instant deadline;
    std::set<int> in_flight;  // source ranks that have not said Landed
    std::optional<wire::Sealed> sealed;
    wire::Bill bill;
    Instant last_landed;
    bool dead = false;
  };
  using Entry = std::map<wire::Attempt, Reservation>::iterator;
  void settle(Entry entry);
  void fail(Reservation& reservation, std::string why);

  const wire::GroupKey me_;
  const uint64_t model_hash_;
  PageAllocator& pages_;
  const int page_tokens_;
  std::map<wire::Attempt, Reservation> reservations_;
  std::vector<Arrival> arrivals_;
  std::vector<Failure> failures_;
};

}  // namespace ferry
