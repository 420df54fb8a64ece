#pragma once
// Messages between the router and the leaders. Leaders dial in; each end sees the same interface: a leader has one
// stream at a time, a router has one a leader. A stream that breaks is an event, on both ends.
//
// Messages are whole and in order within a stream. Calls never block but for wait(); they may come from one thread
// only, the library's own threads hide behind a bounded queue.
//
// Implementations: in-process, gRPC.

#include <optional>
#include <string>
#include <variant>

#include "core/seam/clock.h"

namespace ferry {

using StreamId = int;  // unique for the life of the process

struct StreamOpened {
  StreamId stream = 0;
};
struct StreamMessage {
  StreamId stream = 0;
  std::string bytes;
};
struct StreamClosed {
  StreamId stream = 0;
  std::string why;
};
// Somebody dialed who is not let in, or this end is not: no stream came of it.
struct StreamRefused {
  std::string why;
};
using ControlEvent = std::variant<StreamOpened, StreamMessage, StreamClosed, StreamRefused>;

class ControlStream {
 public:
  virtual ~ControlStream() = default;
  virtual void send(StreamId stream, std::string message) = 0;  // to a closed stream: dropped
  virtual void close(StreamId stream) = 0;
  virtual std::optional<ControlEvent> poll() = 0;
  virtual std::optional<ControlEvent> wait(Duration timeout) = 0;  // poll(), but sleeps until there is an event
};

}  // namespace ferry
