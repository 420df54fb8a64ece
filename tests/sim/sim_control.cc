#include "tests/sim/sim_control.h"

#include <algorithm>

#include "core/base/check.h"

namespace ferry::sim {

namespace {

using std::chrono::milliseconds;

}  // namespace

void SimControl::send(StreamId stream, std::string message) { switchboard_.send(*this, stream, std::move(message)); }
void SimControl::close(StreamId stream) { switchboard_.close(*this, stream); }

std::optional<ControlEvent> SimControl::poll() {
  if (events_.empty()) return std::nullopt;
  ControlEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

void SimControl::tell(ControlEvent event) {
  n_open_ += std::holds_alternative<StreamOpened>(event) - std::holds_alternative<StreamClosed>(event);
  events_.push_back(std::move(event));
  on_event();
}

void Switchboard::dial(SimControl& leader) {
  if (leader.process().ended() || leader.connected()) return;
  const bool reachable = router_ && router_->process().running() && leader.process().running() &&
                         !weather_.cut(leader.process().host(), schedule_.router());
  if (reachable) return open(leader);
  dial_later(leader);
}

void Switchboard::dial_later(SimControl& leader) {
  timeline_.after(random_.between(milliseconds(4), milliseconds(9)), [this, &leader] { dial(leader); });
}

void Switchboard::open(SimControl& leader) {
  const auto id = static_cast<StreamId>(streams_.size());
  streams_.push_back({.leader = {.control = &leader}, .router = {.control = router_}});
  router_->tell(StreamOpened{.stream = id});
  leader.tell(StreamOpened{.stream = id});
}

void Switchboard::send(SimControl& from, StreamId id, std::string message) {
  Stream& stream = streams_.at(id);
  if (!stream.end_of(from).open) return;
  End& to = stream.other_than(from);
  const Host here = from.process().host(), there = to.control->process().host();
  std::vector<Weather::Delivery> deliveries = {{.after = weather_.delay(here, there)}};
  if (std::exchange(to.greeted, true)) {
    if (&from == router_) weather_.alter(here, there, message);
    weather_.garble(here, there, message);
    deliveries = weather_.deliveries(here, there);
  }
  for (const Weather::Delivery& delivery : deliveries) {
    Instant when = weather_.heals(here, there) + delivery.after;
    if (!delivery.out_of_order) when = to.last_arrival = std::max(when, to.last_arrival);
    timeline_.at(when, [this, id, &to, message] { deliver(id, *to.control, message); });
  }
}

void Switchboard::deliver(StreamId id, SimControl& to, std::string message) {
  Stream& stream = streams_.at(id);
  if (!stream.end_of(to).open || to.process().ended()) return;
  to.tell(StreamMessage{.stream = id, .bytes = std::move(message)});
}

void Switchboard::close(SimControl& by, StreamId id) {
  Stream& stream = streams_.at(id);
  SimControl& other = *stream.other_than(by).control;
  close_end(id, by, "closed by this end");
  timeline_.at(weather_.heals(by.process().host(), other.process().host()) + milliseconds(1),
               [this, id, &other] { close_end(id, other, "the other end closed"); });
}

void Switchboard::close_end(StreamId id, SimControl& at, std::string why) {
  End& end = streams_.at(id).end_of(at);
  if (!end.open || at.process().ended()) return;
  end.open = false;
  at.tell(StreamClosed{.stream = id, .why = std::move(why)});
  if (&end == &streams_[id].leader) dial_later(at);
}

void Switchboard::break_off(StreamId id, const char* why) {
  for (SimControl* control : {streams_[id].leader.control, streams_[id].router.control}) {
    timeline_.after(random_.between(Duration{}, milliseconds(8)),
                    [this, id, control, why] { close_end(id, *control, why); });
  }
}

bool Switchboard::whole(const Stream& stream) const {
  const Process &leader = stream.leader.control->process(), &router = stream.router.control->process();
  return leader.running() && router.running() && !weather_.cut(leader.host(), router.host());
}

// A stream is alive as long as each end answers the other.
void Switchboard::suspect(StreamId id) {
  if (whole(streams_[id])) return;
  timeline_.after(weather_.detection(), [this, id] {
    if (!whole(streams_[id])) break_off(id, "keepalive timed out");
  });
}

void Switchboard::ended(const Process& process) {
  for (size_t id = 0; id < streams_.size(); ++id) {
    Stream& s = streams_[id];
    if (&s.leader.control->process() == &process || &s.router.control->process() == &process) {
      suspect(static_cast<StreamId>(id));
    }
  }
}

void Switchboard::parted(Host a, Host b) {
  for (size_t id = 0; id < streams_.size(); ++id) {
    const Host leader = streams_[id].leader.control->process().host();
    if ((leader == a && schedule_.router() == b) || (leader == b && schedule_.router() == a)) {
      suspect(static_cast<StreamId>(id));
    }
  }
}

void Switchboard::break_stream_of(Host group) {
  for (size_t id = 0; id < streams_.size(); ++id) {
    if (streams_[id].leader.control->process().host() == group)
      break_off(static_cast<StreamId>(id), "connection reset");
  }
}

}  // namespace ferry::sim
