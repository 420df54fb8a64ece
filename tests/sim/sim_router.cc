#include "tests/sim/sim_router.h"

#include "core/base/codec.h"
#include "core/base/error.h"
#include "tests/sim/fake_model.h"

namespace ferry::sim {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

}  // namespace

SimRouter::SimRouter(const Surroundings& around, uint64_t epoch, Switchboard& switchboard)
    : around_(around),
      process_(around.schedule.router()),
      control_(switchboard, process_),
      router_({.model_hash = kModelHash, .epoch = epoch, .most_queued = around.schedule.most_queued}, around.timeline),
      clients_(around) {
  control_.on_event = [this] { wake(); };
  switchboard.listen(control_);
  tick();
}

std::optional<RequestId> SimRouter::submit(const RequestPlan& plan) {
  if (!process_.running()) return std::nullopt;
  Request request = plan.request;
  request.id = next_id_++;
  clients_.submitted(request, around_.timeline.now() + plan.budget);
  if (around_.log.listening()) {
    around_.log.line("client", str("asks for request ", request.id, ": prompt of ", request.prompt.size(),
                                   ", max_tokens ", request.max_tokens));
  }
  router_.submit(request, plan.budget);
  wake();
  if (plan.cancel_after) {
    around_.timeline.after(*plan.cancel_after,
                           [this, id = request.id] { process_.when_running([this, id] { cancel(id); }); });
  }
  return request.id;
}

void SimRouter::cancel(RequestId id) {
  around_.log.line("client", str("cancels request ", id));
  router_.cancel(id);
  clients_.cancelled(id);
  wake();
}

void SimRouter::wake() {
  if (std::exchange(turn_planned_, true)) return;
  around_.timeline.after(around_.random.between(microseconds(5), microseconds(80)), [this] {
    process_.when_running([this] {
      turn_planned_ = false;
      turn();
    });
  });
}

void SimRouter::tick() {
  if (process_.ended()) return;
  wake();
  around_.timeline.after(clients_.n_waiting() > 0 ? milliseconds(4) : milliseconds(20), [this] { tick(); });
}

void SimRouter::turn() {
  while (const auto event = control_.poll()) hear(*event);
  router_.tick();
  send();
  for (const RequestEvent& event : router_.take_events()) clients_.hear(event);
  clients_.check_in_time();
}

void SimRouter::hear(const ControlEvent& event) {
  if (const auto* message = std::get_if<StreamMessage>(&event)) {
    if (const auto known = unpack<wire::ToRouter>(message->bytes)) return router_.message(message->stream, *known);
    around_.log.line("router", str("hears garbage on stream ", message->stream));
    control_.close(message->stream);
  } else if (const auto* closed = std::get_if<StreamClosed>(&event)) {
    around_.log.line("router", str("loses stream ", closed->stream, ": ", closed->why));
    router_.closed(closed->stream, closed->why);
  }
}

void SimRouter::send() {
  for (const auto& [stream, message] : router_.take_to_leaders()) {
    around_.log.said("router", str("stream ", stream), message);
    control_.send(stream, pack(message));
  }
}

}  // namespace ferry::sim
