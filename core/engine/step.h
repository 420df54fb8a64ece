#pragma once
// What all ranks of a group do next, decided once by the leader. Every rank runs the same steps in the same order;
// nothing that depends on timing is decided twice.

#include <string>
#include <vector>

#include "core/engine/batch.h"
#include "core/kv/shard.h"
#include "core/wire/messages.h"

namespace ferry {

// Another group, as the ranks of this one know it: a small number that the leader chose, never used again.
using GroupId = int;

struct ConnectOrder {
  GroupId group = 0;
  wire::GroupInfo info;
  bool send = false;  // KV to its ranks; otherwise only the leaders talk
  template <class A>
  void fields(A& a) {
    a(group, info, send);
  }
};

// Puts the KV of [tokens) of one of the batch's sequences into pages of another group, layer by layer as the step
// computes them; or, deferred, when the whole step is done (tokens may then begin before this batch's).
struct ShipOrder {
  wire::Attempt attempt;
  GroupId group = 0;
  int sequence = 0;  // in the batch
  Range tokens;
  std::vector<int> pages;  // of the destination: token t belongs in pages[t / page_tokens]
  bool deferred = false;
  bool last = false;  // nothing follows: tell the peer's leader when everything has landed
  template <class A>
  void fields(A& a) {
    a(attempt, group, sequence, tokens, pages, deferred, last);
  }
};

// Ship no more of an attempt, and tell the peer's leader (Landed, incomplete) when nothing of it is in flight.
struct GiveUpOrder {
  wire::Attempt attempt;
  GroupId group = 0;
  template <class A>
  void fields(A& a) {
    a(attempt, group);
  }
};

struct Step {
  int64_t id = 0;
  Batch batch;
  std::vector<ConnectOrder> connects;
  std::vector<GroupId> disconnects;
  std::vector<ShipOrder> ships;
  std::vector<GiveUpOrder> gives_up;
  bool last = false;  // the group ends after this step
  template <class A>
  void fields(A& a) {
    a(id, batch, connects, disconnects, ships, gives_up, last);
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

// What each rank tells the leader after each step.
struct StepReceipt {
  int64_t step = 0;
  uint64_t hash = 0;                   // of the step's bytes: all ranks ran the same one
  std::vector<wire::Attempt> drained;  // shipments of which this rank has nothing in flight any more
  std::vector<GroupFailure> failures;
  template <class A>
  void fields(A& a) {
    a(step, hash, drained, failures);
  }
};

}  // namespace ferry
