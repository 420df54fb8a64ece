#pragma once
// Who serves a request: the router's policy and bookkeeping. Pure: messages and requests in, messages and events out.
// It queues in order of arrival, reserves at a decode group first, and hands the prompt to a prefill group with the
// ticket.
//
// Every request that is submitted ends in exactly one event that finishes it: with its last token or with an error.

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/engine/request.h"
#include "core/seam/clock.h"
#include "core/seam/control_stream.h"
#include "core/wire/messages.h"

namespace ferry {

struct RouterRules {
  uint64_t model_hash = 0;  // groups with another one are refused
  bool require_rdma = false;
};

// What serving a request took, as far as is known.
struct Account {
  std::string prefill, decode;  // group names
  int attempts = 0;
  std::string transport;  // that the KV took; empty where it did not move
  wire::Bill bill;
  double queue_ms = 0;
  double reserve_ms = 0;
  double ttft_ms = 0;
  double total_ms = 0;
};

struct RequestEvent {
  RequestId id = 0;
  std::vector<Token> tokens;
  Finish finish = Finish::none;
  std::string error;  // not empty: it failed
  Account account;

  bool last() const { return finish != Finish::none || !error.empty(); }
};

class Router {
 public:
  Router(RouterRules rules, const Clock& clock) : rules_(rules), clock_(clock) {}

  void submit(Request request, Duration budget);
  void cancel(RequestId id);  // no event follows

  void message(StreamId stream, const wire::ToRouter& message);
  void closed(StreamId stream, const std::string& why);
  void tick();  // enforces deadlines, serves the queue

  // No group will come any more: what waits fails.
  void fail_waiting(const std::string& why);

  std::vector<std::pair<StreamId, wire::ToLeader>> take_to_leaders() { return std::exchange(to_leaders_, {}); }
  std::vector<RequestEvent> take_events() { return std::exchange(events_, {}); }

  // Groups that joined, and paths that are ready, for people.
  struct Path {
    std::string prefill, decode, transport;
  };
  std::vector<Path> paths() const;  // that can serve now; a mixed group is a path from itself to itself
  int n_groups() const { return static_cast<int>(groups_.size()); }
  const std::vector<std::string>& refusals() const { return refusals_; }  // of groups and pairs, in words
  std::vector<StreamId> streams() const;

 private:
  struct Group {
    wire::GroupInfo info;
    int n_requests = 0;  // that it takes part in
    Instant full_until;  // it had no pages
  };
  struct Pair {
    bool ready = false;
    std::string transport;
  };
  struct Served {
    Request request;
    wire::Attempt attempt;
    Instant submitted, assigned, deadline;
    std::optional<StreamId> prefill, decode;  // equal for a mixed group; nullopt: waits
    enum class Stage { waiting, reserving, prefilling, decoding } stage = Stage::waiting;
    int n_tokens = 0;
    Account account;
  };
  struct Route {
    StreamId prefill = 0, decode = 0;
  };

  void on(StreamId stream, const wire::Hello& m);
  void on(StreamId stream, const wire::Paired& m);
  void on(StreamId stream, const wire::Reserved& m);
  void on(StreamId stream, const wire::Full& m);
  void on(StreamId stream, const wire::Tokens& m);
  void on(StreamId stream, const wire::Failed& m);

  std::optional<std::string> refusal_of(const wire::Hello& m) const;
  void introduce(StreamId prefill, StreamId decode);
  std::optional<Route> free_route() const;
  void serve_queue();
  void assign(Served& served, const Route& route);
  void release(Served& served);
  Served* current(const wire::Attempt& attempt);  // nullptr: stale
  void abort_at_groups(const Served& served, const std::string& why);
  void fail(RequestId id, const std::string& why);
  std::string whereabouts(const Served& served) const;

  const RouterRules rules_;
  const Clock& clock_;
  std::map<StreamId, Group> groups_;
  std::map<std::pair<StreamId, StreamId>, Pair> pairs_;  // (prefill, decode)
  std::map<RequestId, Served> served_;
  std::deque<RequestId> queue_;
  std::vector<std::pair<StreamId, wire::ToLeader>> to_leaders_;
  std::vector<RequestEvent> events_;
  std::vector<std::string> refusals_;
};

}  // namespace ferry
