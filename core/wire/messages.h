#pragma once
// Everything that groups and the router say to each other. Control messages travel over a ControlStream between the
// router and a leader; link messages over the KvLink between ranks of two groups. Bytes are made by core/base/codec.h.
//
// Names and order of a handoff: Reserve → Reserved (a Ticket) → Prefill → [puts] → Landed, Sealed → Received.
// Durations travel as milliseconds that are left, never as points in time: hosts' clocks differ.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/engine/request.h"
#include "core/kv/kv_layout.h"

namespace ferry::wire {

constexpr uint32_t kVersion = 1;  // of these messages; groups and router must agree

enum class Role : uint8_t { prefill, decode, mixed, kLast = mixed };

// A group at one start. A restarted group is another one: same name, new epoch.
struct GroupKey {
  std::string name;
  uint64_t epoch = 0;
  auto operator<=>(const GroupKey&) const = default;
  template <class A>
  void fields(A& a) {
    a(name, epoch);
  }
};

// One try to serve a request. A retry has a new attempt number; messages of an old attempt are stale.
struct Attempt {
  RequestId request = 0;
  int attempt = 0;
  auto operator<=>(const Attempt&) const = default;
  template <class A>
  void fields(A& a) {
    a(request, attempt);
  }
};

struct GroupInfo {
  GroupKey key;
  Role role = Role::mixed;
  uint64_t model_hash = 0;
  int n_pages = 0;
  int max_context = 0;                      // tokens of a sequence
  int max_sequences = 0;                    // that run at once
  std::vector<KvLayout> layouts;            // by rank
  std::vector<std::string> link_addresses;  // by rank
  std::string ops;                          // what computes there, for people
  template <class A>
  void fields(A& a) {
    a(key, role, model_hash, n_pages, max_context, max_sequences, layouts, link_addresses, ops);
  }
};

// Pages of the decode group that one prefill group may write for one attempt.
struct Ticket {
  Attempt attempt;
  GroupKey decode;
  std::vector<int> pages;  // the prompt's, in order
  template <class A>
  void fields(A& a) {
    a(attempt, decode, pages);
  }
};

// Where the time of a request went, as far as groups know it.
struct Bill {
  double prefill_ms = 0;           // from Prefill to the first token
  double exposed_transfer_ms = 0;  // from the last layer's end to the last byte's landing, on the slowest rank
  double attach_ms = 0;            // from the last landing to the first decode step
  uint64_t kv_bytes = 0;           // shipped, over all ranks
  template <class A>
  void fields(A& a) {
    a(prefill_ms, exposed_transfer_ms, attach_ms, kv_bytes);
  }
};

// ---- router → leader

struct Welcome {
  template <class A>
  void fields(A& a) {
    a();
  }
};
struct Refuse {  // you cannot join; ends the group
  std::string why;
  template <class A>
  void fields(A& a) {
    a(why);
  }
};
struct Introduce {  // the pair you form with another group: its prefill side sends to its decode side
  GroupInfo peer;
  bool you_send = false;
  template <class A>
  void fields(A& a) {
    a(peer, you_send);
  }
};
struct Forget {  // that group is gone
  GroupKey peer;
  std::string why;
  template <class A>
  void fields(A& a) {
    a(peer, why);
  }
};
struct Run {  // prefill and decode, both here
  Attempt attempt;
  Request request;
  double deadline_ms = 0;
  template <class A>
  void fields(A& a) {
    a(attempt, request, deadline_ms);
  }
};
struct Reserve {
  Attempt attempt;
  GroupKey prefill;
  Request request;
  double deadline_ms = 0;
  template <class A>
  void fields(A& a) {
    a(attempt, prefill, request, deadline_ms);
  }
};
struct Prefill {
  Request request;
  Ticket ticket;
  double deadline_ms = 0;
  template <class A>
  void fields(A& a) {
    a(request, ticket, deadline_ms);
  }
};
struct Abort {  // to both groups of the pair; `decode` is where the pages are, empty when none were reserved
  Attempt attempt;
  GroupKey decode;
  std::string why;
  template <class A>
  void fields(A& a) {
    a(attempt, decode, why);
  }
};
struct Stop {  // finish and leave
  template <class A>
  void fields(A& a) {
    a();
  }
};
using ToLeader = std::variant<Welcome, Refuse, Introduce, Forget, Run, Reserve, Prefill, Abort, Stop>;

// ---- leader → router

struct Hello {
  uint32_t version = kVersion;
  GroupInfo group;
  template <class A>
  void fields(A& a) {
    a(version, group);
  }
};
struct Paired {  // said by the decode leader: every rank of `prefill` reaches us
  GroupKey prefill;
  std::string transport;
  template <class A>
  void fields(A& a) {
    a(prefill, transport);
  }
};
struct Reserved {
  Ticket ticket;
  template <class A>
  void fields(A& a) {
    a(ticket);
  }
};
struct Full {
  Attempt attempt;
  double retry_after_ms = 0;
  template <class A>
  void fields(A& a) {
    a(attempt, retry_after_ms);
  }
};
struct Tokens {
  Attempt attempt;
  int first = 0;  // index of tokens[0] among the generated ones
  std::vector<Token> tokens;
  Finish finish = Finish::none;
  Bill bill;  // whole with the first token
  template <class A>
  void fields(A& a) {
    a(attempt, first, tokens, finish, bill);
  }
};
struct Failed {
  Attempt attempt;
  std::string why;
  template <class A>
  void fields(A& a) {
    a(attempt, why);
  }
};
using ToRouter = std::variant<Hello, Paired, Reserved, Full, Tokens, Failed>;

// ---- rank → leader of the peer group

struct PairHello {  // prefill rank → decode leader: I reach every rank I will write to
  GroupKey prefill;
  int rank = 0;
  std::string transport;
  template <class A>
  void fields(A& a) {
    a(prefill, rank, transport);
  }
};
struct Landed {  // prefill rank → decode leader: nothing of this attempt is in flight from me any more
  Attempt attempt;
  GroupKey prefill;
  int rank = 0;
  bool complete = false;  // false: given up before everything was sent
  uint64_t bytes = 0;
  double exposed_ms = 0;
  template <class A>
  void fields(A& a) {
    a(attempt, prefill, rank, complete, bytes, exposed_ms);
  }
};
struct Sealed {  // prefill leader → decode leader: the prompt is computed, this is the first token
  Attempt attempt;
  GroupKey prefill;
  uint64_t content = 0;  // content id of the prompt: what the pages hold
  Token first;
  double prefill_ms = 0;
  template <class A>
  void fields(A& a) {
    a(attempt, prefill, content, first, prefill_ms);
  }
};
struct Received {  // decode leader → prefill leader: the KV is ours, your pages are yours again
  Attempt attempt;
  template <class A>
  void fields(A& a) {
    a(attempt);
  }
};
using LinkMessage = std::variant<PairHello, Landed, Sealed, Received>;

}  // namespace ferry::wire

namespace ferry {

// What pages hold, as a number: the tokens and the model that computed them.
uint64_t content_id(const std::vector<int>& tokens, uint64_t model_hash);

}  // namespace ferry
