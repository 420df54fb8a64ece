#pragma once
// Who serves a request: the router's policy and bookkeeping. Pure: messages and requests in, messages and events out.
// It queues by priority and fairly between tenants, reserves at a decode group first, and hands the prompt to a prefill
// group with the ticket; a short prompt may be prefilled where it is decoded. When an attempt fails, it climbs a
// ladder: the same pair once more, another prefill group, prefill on the decode group itself. Tokens that were told
// already become part of the prompt of the next attempt.
//
// Every request that is submitted ends in exactly one event that finishes it: with its last token or with an error.

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/milestones.h"
#include "core/engine/request.h"
#include "core/router/fair_queue.h"
#include "core/router/fleet.h"
#include "core/seam/clock.h"
#include "core/seam/control_stream.h"
#include "core/wire/messages.h"

namespace ferry {

struct RouterRules {
  uint64_t model_hash = 0;  // groups with another one are refused
  uint64_t epoch = 1;       // of this router: new at every start
  PathRules paths;
  bool colocated_retry = true;   // the ladder's last rung
  size_t most_queued = 1 << 16;  // of each priority
  int colocate_below = 0;        // tokens: a shorter prompt is prefilled by the decode group, if one is free
  Milestones milestones = {};    // for tests
};

enum class Rung : uint8_t { same_pair, other_prefill, other_decode, colocated };
constexpr int kRungs = 4;
std::string_view name_of(Rung rung);

// What serving a request took, as far as is known.
struct Account {
  struct Retry {
    Rung rung = Rung::same_pair;
    std::string why;              // the attempt before it ended
    std::string prefill, decode;  // that attempt's groups
    double at_ms = 0;             // when the next one began
  };
  std::string prefill, decode;  // group names, of the last attempt; the same one for both: colocated
  bool short_prompt = false;    // which is why it was
  int attempts = 0;
  std::vector<Retry> retries;
  std::string transport;  // that the KV took; empty where it did not move
  wire::Bill bill;
  double queue_ms = 0;
  double reserve_ms = 0;  // of the attempt that the first token came of, as the bill
  double ttft_ms = 0;
  double total_ms = 0;
};

// Why a request failed: whose fault it is, and whether it is worth trying again.
enum class Fault : uint8_t {
  request,     // no group can serve it
  deadline,    // it ran out of time
  overloaded,  // too many wait: later it may be served
  service      // groups failed or are gone
};

struct RequestEvent {
  RequestId id = 0;
  std::vector<Token> tokens;
  std::vector<Token> prompt_logprobs;  // with the first token, if asked for: of the prompt from its second token on
  Finish finish = Finish::none;
  std::string error;             // not empty: it failed
  Fault fault = Fault::service;  // where it failed
  Account account;

  bool last() const { return finish != Finish::none || !error.empty(); }
};

class Router {
 public:
  Router(const RouterRules& rules, const Clock& clock);

  void submit(Request request, Duration budget, const Tenant& tenant = {});
  void cancel(RequestId id);  // no event follows

  void message(StreamId stream, const wire::ToRouter& message);
  void not_a_message() { ++counters_.refused; }  // that is what came on a stream, which its owner closes
  void closed(StreamId stream, const std::string& why);
  void tick();   // enforces deadlines, serves the queue; at least every few tens of milliseconds
  void serve();  // the queue only: what came may have made room

  // A group that is drained ends what it has and gets nothing new, until it is told otherwise or joins anew. What no
  // other group can do fails at the next turn: that may be for hours. False: none has that name.
  bool drain(std::string_view group, bool on) { return fleet_.drain(group, on); }
  // No group will come any more: what waits fails.
  void fail_waiting(const std::string& why);

  std::vector<std::pair<StreamId, wire::ToLeader>> take_to_leaders();
  std::vector<RequestEvent> take_events() { return std::exchange(events_, {}); }

  // For people and metrics.
  std::vector<PairReport> paths() const;  // that can serve now; a mixed group is a path from itself to itself
  std::vector<PairReport> pairs() const;  // all of groups that joined, also those that cannot serve yet
  uint64_t n_path_changes() const { return fleet_.n_path_changes(); }  // as long as it stays, paths() does
  int n_groups() const { return static_cast<int>(fleet_.groups().size()); }
  std::vector<std::string> take_refusals() { return std::exchange(refusals_, {}); }  // of groups and pairs, in words
  std::vector<StreamId> streams() const;
  struct GroupReport {
    std::string name;
    wire::Role role = wire::Role::mixed;
    GroupState state = GroupState::ready;
    int tp = 0;
    std::string ops;     // what computes there
    int n_requests = 0;  // attempts that it takes part in
    wire::Stats stats;   // as last told
  };
  std::vector<GroupReport> groups() const;
  struct RequestReport {
    std::string_view stage;  // "waiting", "reserving", "prefilling", "decoding"
    double age_ms = 0;
    int n_prompt_tokens = 0;
    int n_tokens = 0;  // told
    Account account;
  };
  std::optional<RequestReport> request(RequestId id) const;  // nullopt: it is over
  struct Counters {
    uint64_t submitted = 0, finished = 0, failed = 0, cancelled = 0;
    uint64_t retries[kRungs] = {};  // by rung, of requests that are over
    uint64_t full = 0;              // times that a decode group had no room
    uint64_t stale = 0;             // messages of an old attempt
    uint64_t refused = 0;           // messages of who has no say in the matter, and bytes that are none
  };
  const Counters& counters() const { return counters_; }
  int n_waiting() const { return static_cast<int>(queue_.size() + again_.size()); }
  int n_waiting(Priority priority) const { return static_cast<int>(queue_.size(priority)); }  // for their first try
  int n_served() const { return static_cast<int>(served_.size()); }
  int n_aborting() const { return static_cast<int>(aborting_.size()); }  // aborts that are not answered

 private:
  using Route = Fleet::Route;
  struct Served {
    Request request;
    Tenant tenant;
    wire::Attempt attempt;
    Instant submitted, assigned, deadline;
    Instant progress;            // something last came of the attempt
    std::optional<Route> route;  // nullopt: waits
    enum class Stage { waiting, reserving, prefilling, decoding } stage = Stage::waiting;
    std::optional<StreamId> made_no_numbers;  // of an attempt: to blame if another group does
    std::vector<int> told;                    // tokens of all attempts
    int n_of_attempt = 0;                     // tokens of this attempt
    int n_to_prefill = 0;                     // prompt tokens that this attempt has to compute yet
    std::optional<Route> failed;              // the last attempt's
    std::set<StreamId> failed_prefills;
    bool same_pair_tried = false;
    std::string why_failed;
    Account account;
  };
  struct Newcomer {  // its name is taken by a group that may be about to be found dead
    StreamId stream = 0;
    wire::Hello hello;
    Instant patience;
  };
  struct Aborting {
    StreamId stream = 0;
    wire::Attempt attempt;
    auto operator<=>(const Aborting&) const = default;
  };

  void on(StreamId stream, const wire::Hello& m);
  void on(StreamId stream, const wire::Opened& m);
  void on(StreamId stream, const wire::Paired& m);
  void on(StreamId stream, const wire::Unpaired& m);
  void on(StreamId stream, const wire::Reserved& m);
  void on(StreamId stream, const wire::Full& m);
  void on(StreamId stream, const wire::Tokens& m);
  void on(StreamId stream, const wire::Failed& m);
  void on(StreamId stream, const wire::Aborted& m);
  void on(StreamId stream, const wire::Stats& m);

  std::optional<std::string> refusal_of(const wire::GroupInfo& info) const;
  void admit(StreamId stream, const wire::Hello& m, Instant patience);
  bool is_short(const Served& served) const;
  std::optional<Route> first_route(Served& served) const;
  using Climbed = std::pair<Route, Rung>;
  std::optional<Climbed> next_route(const Served& served) const;
  void assign(Served& served, const Route& route);
  void assign_again();
  void assign_first();
  void fail_drained();
  std::string drained_for(const Served& served) const;
  void blame(const Served& served);
  void blame_for_no_numbers(const Served& served);
  Request rest_of(const Served& served) const;
  void release(Served& served);
  Served* current(StreamId stream, const wire::Attempt& attempt);  // nullptr: stale, or not for it to say
  void abort(StreamId stream, const wire::Attempt& attempt);
  void abort_at_groups(const Served& served);
  void abort_again();
  void retry(Served& served, const std::string& why);
  void retry_all_on(const std::string& why, const std::function<bool(const Served&)>& affected);
  void fail(RequestId id, Fault fault, const std::string& why);
  void end(RequestId id);
  // What serving it takes, as far as it is known before: what tenants share.
  static double cost_of(const Request& request) { return static_cast<double>(request.max_length()); }
  std::string whereabouts(const Served& served) const;

  const RouterRules rules_;
  const Clock& clock_;
  Fleet fleet_;
  std::vector<Newcomer> newcomers_;
  std::map<RequestId, Served> served_;
  FairQueue queue_;                       // for their first attempt
  std::deque<RequestId> again_;           // for another one: they go first
  std::map<Aborting, Instant> aborting_;  // not answered; when to say it again
  std::vector<std::pair<StreamId, wire::ToLeader>> to_leaders_;
  std::vector<RequestEvent> events_;
  std::vector<std::string> refusals_;
  Counters counters_;
};

}  // namespace ferry
