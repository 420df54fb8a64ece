#include "launch/runtime/router_service.h"

#include <spdlog/spdlog.h>

#include <bit>

#include "core/base/codec.h"

namespace ferry {

void RouterService::turn(Duration patience) {
  send();
  auto event = patience > Duration::zero() ? leaders_.wait(patience) : leaders_.poll();
  for (; event; event = leaders_.poll()) {
    if (const auto* message = std::get_if<StreamMessage>(&*event)) {
      if (const auto m = unpack<wire::ToRouter>(message->bytes)) {
        router_.message(message->stream, *m);
      } else {
        router_.not_a_message();
        leaders_.close(message->stream);  // not a leader of this version
      }
    } else if (const auto* closed = std::get_if<StreamClosed>(&*event)) {
      router_.closed(closed->stream, closed->why);
    } else if (const auto* refused = std::get_if<StreamRefused>(&*event)) {
      turn_away(*refused);
    }
  }
  send();
}

// Whoever knocks all the time does not fill the log.
void RouterService::turn_away(const StreamRefused& refused) {
  router_.not_a_message();
  if (std::has_single_bit(++n_refused_)) spdlog::warn("{}; {} attempts so far", refused.why, n_refused_);
}

void RouterService::send() {
  for (const auto& [stream, message] : router_.take_to_leaders()) leaders_.send(stream, pack(message));
}

void RouterService::stop_groups() {
  for (const StreamId stream : router_.streams()) leaders_.send(stream, pack<wire::ToLeader>(wire::Stop{}));
}

}  // namespace ferry
