#pragma once
// The mind of a group: its leader's scheduler, pages and both ends of handoffs, in one object that takes messages and
// yields steps. A colocated server, a prefill worker and a decode worker are this same engine with different routes.
//
// Pure: no threads, sockets or device; time comes from the clock it is given. The leader's loop (launch/worker) feeds
// it and does what it says.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/engine/rank.h"
#include "core/engine/sampler.h"
#include "core/engine/scheduler.h"
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
};

struct LeaderMessage {  // for another group's leader, over the link
  GroupId group = 0;
  wire::LinkMessage message;
};

class Engine {
 public:
  Engine(EngineConfig config, const Clock& clock);

  void handle(const wire::ToLeader& message);
  void handle(const wire::LinkMessage& message);
  // The router is gone: every request ends, everything is freed; peers stay connected.
  void router_lost();
  // Enforces deadlines; call it at least every few milliseconds.
  void tick();

  // What the ranks do next; nullopt: nothing. The step must be run and its result given to finish().
  std::optional<Step> next_step();
  void finish(const StepResult& result);

  std::vector<wire::ToRouter> take_to_router() { return std::exchange(to_router_, {}); }
  std::vector<LeaderMessage> take_to_leaders() { return std::exchange(to_leaders_, {}); }

  const std::optional<std::string>& refused() const { return refused_; }  // why the router does not want this group
  int n_free_pages() const { return pages_.n_free(); }
  bool idle() const { return scheduler_.n_waiting() + scheduler_.n_running() == 0; }

 private:
  void on(const wire::Welcome&) {}
  void on(const wire::Refuse& m) { refused_ = m.why; }
  void on(const wire::Stop& m);
  void on(const wire::Introduce& m);
  void on(const wire::Forget& m);
  void on(const wire::Run& m);
  void on(const wire::Reserve& m);
  void on(const wire::Prefill& m);
  void on(const wire::Abort& m);
  void on(const wire::PairHello& m);
  void on(const wire::Landed& m) { receiver_.landed(m, clock_.now()); }
  void on(const wire::Sealed& m) { receiver_.sealed(m); }
  void on(const wire::Received& m) { sender_.received(m.attempt); }

  // Why this group can never serve the request; nullopt: it can.
  std::optional<std::string> refusal_of(const Request& request, int n_tokens) const;
  void fail(const wire::Attempt& attempt, std::string why);
  void end(Sequence sequence);  // before its time: its pages go back when nothing reads them
  void end_everything();
  void lose_peer(const wire::GroupKey& key, const std::string& why);
  void attach_arrivals();
  void accept(Sequence& sequence, Token token, const wire::Bill& bill);
  void seal(Sequence sequence, Token first);
  void order_shipping(const Scheduler::Plan& plan, Step& step) const;
  Finish finish_of(const Sequence& sequence, int token) const;

  const EngineConfig config_;
  const Clock& clock_;
  PageAllocator pages_;
  Scheduler scheduler_;
  Receiver receiver_;
  Sender sender_;
  Peers peers_;

  Scheduler::Plan plan_;  // of the step that is being run
  int64_t next_step_id_ = 0;
  Instant last_step_;
  std::vector<ConnectOrder> connects_;
  std::vector<GroupId> disconnects_;
  std::vector<wire::ToRouter> to_router_;
  std::vector<LeaderMessage> to_leaders_;
  std::optional<std::string> refused_;
  std::optional<Instant> stop_by_;  // Stop has come; the last step waits until then for what is in flight
};

}  // namespace ferry
