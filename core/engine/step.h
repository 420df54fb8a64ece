#pragma once
// What all ranks of a group do next, decided once by the leader. Every rank runs the same steps in the same order;
// nothing that depends on timing is decided twice.

#include <string>
#include <vector>

#include "core/engine/batch.h"
#include "core/engine/digest.h"
#include "core/kv/shard.h"
#include "core/wire/messages.h"

namespace ferry {

// Another group in one pairing, as the ranks of this one know it: a small number that the leader chose, never used
// again.
using GroupId = int;

struct ConnectOrder {
  GroupId group = 0;
  wire::GroupInfo info;
  std::vector<std::string> addresses;  // by rank
  bool send = false;                   // we send KV to it; otherwise it sends to us
  template <class A>
  void fields(A& a) {
    a(group, info, addresses, send);
  }
};

// Puts the KV of [tokens) of one of the batch's sequences into pages of another group, layer by layer as the step
// computes them; or, deferred, when the whole step is done. Tokens may begin before this batch's: those were computed
// earlier.
struct ShipOrder {
  wire::TicketName ticket;
  GroupId group = 0;
  int sequence = 0;  // in the batch
  Range tokens;
  std::vector<int> pages;  // of the destination: token t belongs in pages[t / page_tokens]
  double due_ms = 0;       // left when the step was made: what is due first is put first
  wire::Verify verify = wire::Verify::off;
  bool deferred = false;
  bool last = false;  // nothing follows: tell the peer's leader when everything has landed
  template <class A>
  void fields(A& a) {
    a(ticket, group, sequence, tokens, pages, due_ms, verify, deferred, last);
  }
};

// Ship no more under a ticket, and tell the peer's leader (Landed, incomplete) when nothing of it is in flight.
struct GiveUpOrder {
  wire::TicketName ticket;
  GroupId group = 0;
  template <class A>
  void fields(A& a) {
    a(ticket, group);
  }
};

// Compare what has landed in our pages with what the senders say they sent.
struct VerifyOrder {
  struct Sent {
    int source = 0;  // rank
    wire::Checksum sum;
    template <class A>
    void fields(A& a) {
      a(source, sum);
    }
  };
  wire::Attempt attempt;
  GroupId group = 0;
  Range tokens;
  std::vector<int> pages;  // ours
  std::vector<Sent> sent;
  wire::Verify verify = wire::Verify::off;
  template <class A>
  void fields(A& a) {
    a(attempt, group, tokens, pages, sent, verify);
  }
};

struct Step {
  int64_t id = 0;
  Batch batch;
  std::vector<GroupId> closes;
  std::vector<GroupId> opens;
  std::vector<ConnectOrder> connects;
  std::vector<GiveUpOrder> gives_up;
  std::vector<VerifyOrder> verifies;
  std::vector<ShipOrder> ships;
  bool last = false;  // the group ends after this step
  template <class A>
  void fields(A& a) {
    a(id, batch, closes, opens, connects, gives_up, verifies, ships, last);
  }
};

struct GroupFailure {
  GroupId group = 0;
  std::string why;
  template <class A>
  void fields(A& a) {
    a(group, why);
  }
};

struct OpenedChannel {
  GroupId group = 0;
  std::string address;
  template <class A>
  void fields(A& a) {
    a(group, address);
  }
};

struct MeasuredGroup {  // this rank reaches all ranks of that group that it has to
  GroupId group = 0;
  wire::Speed speed;
  template <class A>
  void fields(A& a) {
    a(group, speed);
  }
};

struct Verified {
  wire::Attempt attempt;
  std::string mismatch;  // empty: as sent
  template <class A>
  void fields(A& a) {
    a(attempt, mismatch);
  }
};

// What each rank tells the leader after each step.
struct StepReceipt {
  int64_t step = 0;
  uint64_t hash = 0;  // of the step's bytes: all ranks ran the same one
  Digests digests;    // of this rank's part of the logits
  std::vector<OpenedChannel> opened;
  std::vector<MeasuredGroup> measured;
  std::vector<wire::TicketName> drained;  // of which this rank has nothing in flight any more
  std::vector<Verified> verified;
  std::vector<GroupFailure> failures;
  std::vector<GroupId> closed;  // nothing posted to that group reads our memory any more
  std::vector<GroupId> fenced;  // nothing of that group lands here any more
  template <class A>
  void fields(A& a) {
    a(step, hash, digests, opened, measured, drained, verified, failures, closed, fenced);
  }
};

}  // namespace ferry
