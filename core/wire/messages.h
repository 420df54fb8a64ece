#pragma once
// Everything that groups and the router say to each other. Control messages travel over a ControlStream between the
// router and a leader; link messages over the KvLink between ranks of two groups. Bytes are made by core/base/codec.h.
//
// Names and order of a handoff: Reserve → Reserved (a Ticket) → Prefill → [puts] → Landed, Sealed → Tokens. Its early
// end: Abort → Void → Landed, incomplete → Aborted.
// Durations travel as milliseconds that are left, never as points in time: hosts' clocks differ.
//
// Every identity has an incarnation: a group its epoch, an introduction its pairing number, a try its router and
// attempt number, a ticket its key. What names an old one is stale: refused, counted, never processed.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/engine/request.h"
#include "core/kv/kv_layout.h"

namespace ferry::wire {

constexpr uint32_t kVersion = 7;  // of these messages and of links'; groups and router must agree

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

// One introduction of a prefill group to a decode group, by the number that the router drew for it. A group that comes
// back, or a path that is tried again, is another one.
using Pairing = uint64_t;

// One try to serve a request. A retry has a new attempt number; messages of an old attempt are stale. Requests of a
// router that was restarted are others, whatever their numbers.
struct Attempt {
  uint64_t router = 0;  // its epoch
  RequestId request = 0;
  int attempt = 0;
  auto operator<=>(const Attempt&) const = default;
  template <class A>
  void fields(A& a) {
    a(router, request, attempt);
  }
};

struct GroupInfo {
  GroupKey key;
  Role role = Role::mixed;
  uint64_t model_hash = 0;
  int max_context = 0;            // tokens of a sequence
  int max_sequences = 0;          // that run at once
  std::vector<KvLayout> layouts;  // by rank; all have as many pages
  std::string ops;                // what computes there, for people
  int n_pages() const { return layouts.empty() ? 0 : layouts[0].n_pages(); }
  template <class A>
  void fields(A& a) {
    a(key, role, model_hash, max_context, max_sequences, layouts, ops);
  }
};

// A page at one lease: leased again, it has another generation.
struct PageAtLease {
  int page = 0;
  uint32_t generation = 0;
  bool operator==(const PageAtLease&) const = default;
  template <class A>
  void fields(A& a) {
    a(page, generation);
  }
};

// Which of what was sent is compared by checksums.
enum class Verify : uint8_t { off, sampled, all, kLast = all };

// How a ticket is named: messages that do not know its key are refused.
struct TicketName {
  Attempt attempt;
  uint32_t serial = 0;  // counts the tickets of a pairing, from 1: each is begun or voided once
  uint64_t key = 0;     // drawn at random
  auto operator<=>(const TicketName&) const = default;
  template <class A>
  void fields(A& a) {
    a(attempt, serial, key);
  }
};

// Pages of the decode group that the prefill group of a pair may write for one attempt.
struct Ticket {
  TicketName name;
  Pairing pairing = 0;
  std::vector<PageAtLease> pages;  // the prompt's, in order
  int n_cached_tokens = 0;         // whole pages at the front that decode holds already: not sent, not written
  Verify verify = Verify::off;
  template <class A>
  void fields(A& a) {
    a(name, pairing, pages, n_cached_tokens, verify);
  }
};

// Where the time of a request went, as far as groups know it.
struct Bill {
  double prefill_ms = 0;           // from Prefill to the first token
  double exposed_transfer_ms = 0;  // from the last layer's end to the last byte's landing, on the slowest rank
  double verify_ms = 0;            // from the last landing to the end of the checksums
  double attach_ms = 0;            // from then to the first decode step
  uint64_t kv_bytes = 0;           // shipped, over all ranks
  int cached_tokens = 0;           // of the prompt, that prefill did not have to compute
  int kept_tokens = 0;             // of the prompt, that decode had already: not shipped
  template <class A>
  void fields(A& a) {
    a(prefill_ms, exposed_transfer_ms, verify_ms, attach_ms, kv_bytes, cached_tokens, kept_tokens);
  }
};

// How fast a path is, measured when it was made: on the slowest pair of ranks.
struct Speed {
  double gb_per_s = 0;
  double latency_us = 0;  // of a small put and its flush
  template <class A>
  void fields(A& a) {
    a(gb_per_s, latency_us);
  }
};

// Every page is in exactly one of these states.
struct PageCounts {
  int free = 0;         // can be leased; may still hold content that a prompt can find
  int leased = 0;       // by one
  int shared = 0;       // by several, which only read
  int quarantined = 0;  // nobody's, but somebody may still write it
  int total() const { return free + leased + shared + quarantined; }
  bool operator==(const PageCounts&) const = default;
  template <class A>
  void fields(A& a) {
    a(free, leased, shared, quarantined);
  }
};

// What a group says of itself, for metrics.
struct Stats {
  PageCounts pages;
  int n_waiting = 0;             // sequences without pages
  int n_running = 0;             // sequences with pages
  int n_reserved = 0;            // attempts that decode waits for
  int n_shipping = 0;            // attempts of which prefill pages may still be read
  uint64_t n_stale = 0;          // messages of an old incarnation, since the start
  uint64_t n_refused = 0;        // bytes that are no message, and messages that lie
  uint64_t n_found_tokens = 0;   // of prompts, whose KV was there already
  uint64_t n_prompt_tokens = 0;  // of all prompts
  uint64_t n_preempted = 0;      // times that a sequence gave its pages to one that was due before it
  bool idle() const { return n_waiting + n_running + n_reserved + n_shipping == 0; }
  bool operator==(const Stats&) const = default;
  template <class A>
  void fields(A& a) {
    a(pages, n_waiting, n_running, n_reserved, n_shipping, n_stale, n_refused, n_found_tokens, n_prompt_tokens,
      n_preempted);
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
  Pairing pairing = 0;
  GroupInfo peer;
  bool you_send = false;
  template <class A>
  void fields(A& a) {
    a(pairing, peer, you_send);
  }
};
struct Connect {  // where the ranks of the other side await you
  Pairing pairing = 0;
  std::vector<std::string> addresses;  // by rank
  template <class A>
  void fields(A& a) {
    a(pairing, addresses);
  }
};
struct Forget {  // that pair is over
  Pairing pairing = 0;
  std::string why;
  template <class A>
  void fields(A& a) {
    a(pairing, why);
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
  Pairing pairing = 0;
  Request request;
  double deadline_ms = 0;
  template <class A>
  void fields(A& a) {
    a(attempt, pairing, request, deadline_ms);
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
struct Abort {  // answered by Aborted when nothing of the attempt is left
  Attempt attempt;
  template <class A>
  void fields(A& a) {
    a(attempt);
  }
};
struct Stop {  // finish and leave
  template <class A>
  void fields(A& a) {
    a();
  }
};
using ToLeader = std::variant<Welcome, Refuse, Introduce, Connect, Forget, Run, Reserve, Prefill, Abort, Stop>;

// ---- leader → router

struct Hello {
  uint32_t version = kVersion;
  GroupInfo group;
  template <class A>
  void fields(A& a) {
    a(version, group);
  }
};
struct Opened {  // every rank of ours awaits the other side of the pair here
  Pairing pairing = 0;
  std::vector<std::string> addresses;  // by rank
  template <class A>
  void fields(A& a) {
    a(pairing, addresses);
  }
};
struct Paired {  // said by the decode leader: all ranks reach each other, and this fast
  Pairing pairing = 0;
  std::string transport;
  Speed there;  // prefill → decode
  Speed back;
  template <class A>
  void fields(A& a) {
    a(pairing, transport, there, back);
  }
};
struct Unpaired {  // by either leader: the pair does not work, or does not any more
  Pairing pairing = 0;
  std::string why;
  template <class A>
  void fields(A& a) {
    a(pairing, why);
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
  Bill bill;                           // whole with the first token
  std::vector<Token> prompt_logprobs;  // with the first token: of the prompt from its second one on, if asked for
  template <class A>
  void fields(A& a) {
    a(attempt, first, tokens, finish, bill, prompt_logprobs);
  }
};
enum class Cause : uint8_t {
  request,   // no group of this kind can serve it
  deadline,  // it ran out of time
  transfer,  // its KV did not arrive, or not as it was sent
  pair,      // the other group of the pair is not there
  numbers,   // the model made no numbers of it
  kLast = numbers
};
struct Failed {
  Attempt attempt;
  Cause cause = Cause::request;
  std::string why;
  template <class A>
  void fields(A& a) {
    a(attempt, cause, why);
  }
};
struct Aborted {  // nothing of the attempt is left here
  Attempt attempt;
  template <class A>
  void fields(A& a) {
    a(attempt);
  }
};
using ToRouter = std::variant<Hello, Opened, Paired, Unpaired, Reserved, Full, Tokens, Failed, Aborted, Stats>;

// ---- rank → leader of the peer group

struct PairHello {  // prefill rank → decode leader: I reach every rank I will write to
  int rank = 0;
  std::string transport;
  Speed speed;
  template <class A>
  void fields(A& a) {
    a(rank, transport, speed);
  }
};
struct Checksum {  // of what one rank sent to one other: see core/handoff/checksum.h
  int destination = 0;
  uint64_t sum = 0;
  template <class A>
  void fields(A& a) {
    a(destination, sum);
  }
};
struct Landed {  // prefill rank → decode leader: nothing under this ticket is in flight from me, now or later
  TicketName ticket;
  int rank = 0;
  bool complete = false;  // false: given up before everything was sent, or never begun
  uint64_t bytes = 0;
  std::vector<Checksum> sums;
  double exposed_ms = 0;
  template <class A>
  void fields(A& a) {
    a(ticket, rank, complete, bytes, sums, exposed_ms);
  }
};
struct Sealed {  // prefill leader → decode leader: the prompt is computed, this is the first token
  TicketName ticket;
  uint64_t content = 0;  // content id of the prompt: what the pages hold
  Token first;
  std::vector<Token> prompt_logprobs;  // as in Tokens
  double prefill_ms = 0;
  int cached_tokens = 0;
  template <class A>
  void fields(A& a) {
    a(ticket, content, first, prompt_logprobs, prefill_ms, cached_tokens);
  }
};
struct Void {  // decode leader → prefill leader: never write under this ticket again; each rank answers with Landed
  TicketName ticket;
  template <class A>
  void fields(A& a) {
    a(ticket);
  }
};
using LinkMessage = std::variant<PairHello, Landed, Sealed, Void>;

}  // namespace ferry::wire
