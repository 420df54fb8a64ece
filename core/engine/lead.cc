#include "core/engine/lead.h"

#include <optional>

#include "core/base/codec.h"
#include "core/base/error.h"

namespace ferry {

namespace {

// How long an idle leader sleeps when the router has nothing to say. Bytes from peers wait that long at most.
constexpr Duration kNap = std::chrono::microseconds(100);

class RouterSide {
 public:
  RouterSide(Member& member, ControlStream& control) : member_(member), control_(control) {}

  void listen(Leader::Turn last_turn) {
    auto event = last_turn == Leader::Turn::idle ? control_.wait(kNap) : control_.poll();
    for (; event; event = control_.poll()) {
      std::visit([this](const auto& e) { on(e); }, *event);
    }
    if (const auto& why = member_.engine().refused()) {
      throw Error(str("the router refuses group ", member_.info().key.name, ": ", *why));
    }
  }

  void speak() {
    for (const wire::ToRouter& message : member_.engine().take_to_router()) {
      if (stream_) control_.send(*stream_, pack(message));
    }
  }

 private:
  void on(const StreamOpened& e) {
    stream_ = e.stream;
    control_.send(e.stream, pack<wire::ToRouter>(wire::Hello{.group = member_.info()}));
  }
  void on(const StreamMessage& e) {
    if (e.stream != stream_) return;
    if (const auto message = unpack<wire::ToLeader>(e.bytes)) {
      member_.engine().handle(*message);
    } else {
      control_.close(e.stream);  // not a router of this version; the stream dials again
    }
  }
  void on(const StreamClosed& e) {
    if (e.stream != stream_) return;
    stream_.reset();
    member_.engine().router_lost();
  }
  void on(const StreamRefused& e) {
    throw Error(str("the router does not let group ", member_.info().key.name, " in: ", e.why));
  }

  Member& member_;
  ControlStream& control_;
  std::optional<StreamId> stream_;
};

}  // namespace

void lead(Member& member, ControlStream& control) {
  RouterSide router(member, control);
  for (auto turn = Leader::Turn::idle; turn != Leader::Turn::last;) {
    router.listen(turn);
    turn = member.leader().turn();
    router.speak();
  }
}

}  // namespace ferry
