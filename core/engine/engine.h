#pragma once
// The mind of a group: its leader's scheduler, pages and both ends of handoffs, in one object that takes messages and
// yields steps. A colocated server, a prefill worker and a decode worker are this same engine with different routes.
//
// Pure: no threads, sockets or device; time comes from the clock it is given. The leader's loop (core/engine/lead.h)
// feeds it and does what it says.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/milestones.h"
#include "core/engine/rank.h"
#include "core/engine/sampler.h"
#include "core/engine/scheduler.h"
#include "core/engine/step_pace.h"
#include "core/handoff/peers.h"
#include "core/handoff/receiver.h"
#include "core/handoff/sender.h"

namespace ferry {

enum class Overlap : uint8_t { layers, after_prefill };

struct EngineConfig {
  wire::GroupInfo me;
  std::vector<int> end_tokens;
  int n_vocab = 0;
  SchedulingLimits limits;
  Overlap overlap = Overlap::layers;
  wire::Verify verify = wire::Verify::off;  // of what this group gets
  bool reuse_pages = true;
  uint64_t seed = 0;      // of ticket keys: hard to guess in a cluster, known in a simulation
  Milestones milestones;  // for tests; may be empty
};

struct LeaderMessage {  // for another group's leader, over the link
  GroupId group = 0;
  wire::LinkMessage message;
};

class Engine {
 public:
  Engine(EngineConfig config, const Clock& clock);

  void handle(const wire::ToLeader& message);
  void handle(GroupId from, const wire::LinkMessage& message);
  // The router is gone: every request ends, everything is freed; peers stay connected.
  void router_lost();
  // Enforces deadlines; call it at least every few milliseconds.
  void tick();

  // What the ranks do next; nullopt: nothing. The step must be run, its digests given to choose() and its result to
  // finish(), with the logits [rows, n_vocab] of the logit rows that choose() returns: those whose tokens only they
  // tell.
  std::optional<Step> next_step();
  std::vector<int> choose(const std::vector<RowDigest>& digests);
  void finish(const StepResult& result, std::span<const float> asked_logits);

  std::vector<wire::ToRouter> take_to_router() { return std::exchange(to_router_, {}); }
  std::vector<LeaderMessage> take_to_leaders() { return std::exchange(to_leaders_, {}); }

  const std::optional<std::string>& refused() const { return refused_; }  // why the router does not want this group
  wire::Stats stats() const;
  bool idle() const { return scheduler_.n_waiting() + scheduler_.n_running() == 0; }
  // A ticket of that pairing is out for that page: what simulation checks every write against.
  bool may_write(GroupId from, int page) const { return receiver_.may_write(from, page); }

 private:
  void on(const wire::Welcome&) {}
  void on(const wire::Refuse& m) { refused_ = m.why; }
  void on(const wire::Stop& m);
  void on(const wire::Introduce& m);
  void on(const wire::Connect& m);
  void on(const wire::Forget& m);
  void on(const wire::Run& m);
  void on(const wire::Reserve& m);
  void on(const wire::Prefill& m);
  void on(const wire::Abort& m);
  void on(GroupId from, const wire::PairHello& m);
  void on(GroupId from, const wire::Landed& m);
  void on(GroupId from, const wire::Sealed& m);
  void on(GroupId from, const wire::Void& m);
  void count(Receiver::Verdict verdict);
  bool has_room() const;  // for one more sequence from another group

  // Why this group can never serve the request; nullopt: it can.
  std::optional<std::string> refusal_of(const Request& request, int n_tokens) const;
  std::optional<std::string> refusal_of(const wire::Ticket& ticket, const Peer& peer, const Request& request) const;
  void fail(const wire::Attempt& attempt, wire::Cause cause, std::string why);
  void fail_without_numbers(const wire::Attempt& attempt);
  void end(Sequence sequence);  // before its time: its pages go back when nothing reads them
  void end_everything();
  void lose_peer(GroupId id, const std::string& why);
  void tell_if_ready(Peer& peer);
  void tell_ends();
  void tell_stats(Instant now);
  void attach_arrivals();

  void order_shipping(const Scheduler::Plan& plan, Step& step);
  void order_digests(const Scheduler::Plan& plan, Batch& batch) const;
  void take_tokens(std::span<const float> asked_logits);
  void take_receipt(const StepReceipt& receipt, int rank);
  void accept(Sequence& sequence, Token token, const wire::Bill& bill);
  void seal(Sequence sequence, Token first);
  Finish finish_of(const Sequence& sequence, int token) const;
  std::optional<Duration> heartbeat() const;

  const EngineConfig config_;
  const Clock& clock_;
  const ContentId content_start_;
  PageAllocator pages_;
  Scheduler scheduler_;
  Receiver receiver_;
  Sender sender_;
  Peers peers_;

  StepPace pace_;
  Scheduler::Plan plan_;                      // of the step that is being run, without its batch
  std::vector<std::optional<Token>> chosen_;  // by logit row; nullopt: asked for
  int64_t next_step_id_ = 0;
  Instant last_step_;
  std::vector<GroupId> opens_, closes_;
  std::vector<ConnectOrder> connects_;
  std::vector<wire::ToRouter> to_router_;
  std::vector<LeaderMessage> to_leaders_;
  std::optional<std::string> refused_;
  std::optional<Instant> stop_by_;  // Stop has come; the last step waits until then for what is in flight
  uint64_t n_stale_ = 0, n_refused_ = 0, n_found_tokens_ = 0, n_prompt_tokens_ = 0;
  wire::Stats told_stats_;
  Instant told_at_, tell_stats_at_;
};

}  // namespace ferry
