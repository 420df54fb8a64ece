#include "launch/runtime/router_service.h"

#include "core/base/codec.h"

namespace ferry {

void RouterService::turn(Duration patience) {
  send();
  for (auto event = leaders_.wait(patience); event; event = leaders_.poll()) {
    if (const auto* message = std::get_if<StreamMessage>(&*event)) {
      if (const auto m = unpack<wire::ToRouter>(message->bytes)) {
        router_.message(message->stream, *m);
      } else {
        router_.not_a_message();
        leaders_.close(message->stream);  // not a leader of this version
      }
    } else if (const auto* closed = std::get_if<StreamClosed>(&*event)) {
      router_.closed(closed->stream, closed->why);
    }
  }
  send();
}

void RouterService::send() {
  for (const auto& [stream, message] : router_.take_to_leaders()) leaders_.send(stream, pack(message));
}

void RouterService::stop_groups() {
  for (const StreamId stream : router_.streams()) leaders_.send(stream, pack<wire::ToLeader>(wire::Stop{}));
}

}  // namespace ferry
