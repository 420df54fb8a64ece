#pragma once
// The decode end of handoffs, on the decode leader: reserves pages, waits until every source rank's bytes have landed
// and the prompt is sealed, has them verified, then yields the sequence. Pure: messages in, answers out; the clock is
// an argument.
//
// Pages go back only when no source can write them any more: each has said Landed, or has come back in a new pairing,
// or its pairing is fenced off. Until then the pages of an attempt that ended are in quarantine.

#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/newest.h"
#include "core/handoff/peers.h"
#include "core/kv/page_allocator.h"
#include "core/seam/clock.h"
#include "core/wire/messages.h"

namespace ferry {

class Receiver {
 public:
  struct Settings {
    int page_tokens = 1;
    ContentId content_start = 0;  // of this model and KV type
    wire::Verify verify = wire::Verify::off;
    bool reuse = true;         // pages that hold the beginning of a prompt already
    int most_quarantined = 0;  // pages: while more are, nothing is reserved for a group that caused it
    uint64_t seed = 0;         // of ticket keys
  };
  Receiver(const Settings& settings, PageAllocator& pages);

  // Pages for the prompt, named in the ticket. nullopt: not that many are free now, with `spare` more for those that
  // run, or the attempt was here before.
  std::optional<wire::Ticket> reserve(const wire::Reserve& order, const Peer& prefill, Instant deadline, int spare = 0);

  // The ticket of an attempt that lives; nullopt: none does.
  std::optional<wire::Ticket> given(const wire::Attempt& attempt) const;

  // How a message was taken.
  enum class Verdict : uint8_t { taken, stale, refused };  // stale: of something that is over; refused: it lies
  Verdict landed(GroupId from, const wire::Landed& message, Instant now);
  Verdict sealed(GroupId from, const wire::Sealed& message, Instant now);
  bool verifying() const;  // ranks compare, and somebody waits for that
  void verified(const wire::Attempt& attempt, int rank, const std::string& mismatch, Instant now);

  // Ends an attempt here; its pages follow when they are safe. False: there is none, and none will be begun.
  bool abort(const wire::Attempt& attempt);
  void abort_all();
  std::vector<wire::Attempt> expire(Instant now);  // those whose deadline has passed, aborted by this call

  // The pair is over. Returns the attempts that this ends.
  std::vector<wire::Attempt> lost(GroupId group);
  void fenced(GroupId group);  // nothing from that pairing can be written any more

  struct Arrival {
    wire::Ticket ticket;
    GroupId group = 0;
    Request request;
    PageLease lease;
    Token first;
    std::vector<Token> prompt_logprobs;
    wire::Bill bill;
    Instant ready;  // landed and verified
    Instant deadline;
  };
  struct Failure {
    wire::Attempt attempt;
    std::string why;
  };
  std::vector<Arrival> take_arrivals();
  std::vector<Failure> take_failures();
  std::vector<VerifyOrder> take_verifies(int n_ranks);  // to be run by all ranks, n_ranks of them
  // Tickets to void at the prefill group: again and again until it answers.
  struct Voided {
    GroupId group = 0;
    wire::TicketName ticket;
  };
  std::vector<Voided> take_voided(Instant now);
  std::vector<wire::Attempt> take_ended() { return std::exchange(ended_, {}); }  // aborted, and nothing left

  int n_reserved() const;                        // live attempts
  bool may_write(GroupId from, int page) const;  // a ticket of that pairing is out for it, live or not

 private:
  struct Reservation {
    wire::Ticket ticket;
    GroupId group = 0;
    wire::GroupKey prefill;
    Request request;
    PageLease lease;
    Instant deadline;
    std::set<int> in_flight;  // source ranks that may still write
    std::vector<VerifyOrder::Sent> sent;
    std::optional<wire::Sealed> sealed;
    std::set<int> verifying;  // our ranks that have not compared yet
    bool to_verify = false;
    wire::Bill bill;
    Instant last_landed;
    Instant ready;
    bool dead = false;
    Instant void_again;
  };
  using Entry = std::map<wire::Attempt, Reservation>::iterator;
  Reservation* named(GroupId from, const wire::TicketName& ticket, Verdict& verdict);
  void settle(Entry entry, Instant now);
  void arrive(Reservation& reservation);
  void kill(Reservation& reservation);
  void fail(Reservation& reservation, std::string why);
  int n_quarantined_by(const std::string& prefill) const;
  void forget(Entry entry);

  const Settings settings_;
  PageAllocator& pages_;
  std::mt19937_64 random_;
  std::map<GroupId, uint32_t> serials_;  // tickets given
  std::map<wire::Attempt, Reservation> reservations_;
  // Attempts that are over here, the newest: a Reserve that comes late and twice does not begin them again.
  Newest<wire::Attempt> over_{4096};
  std::vector<Arrival> arrivals_;
  std::vector<Failure> failures_;
  std::vector<wire::Attempt> ended_;
};

}  // namespace ferry
