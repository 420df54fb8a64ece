#pragma once
// For tests of control streams: where ends come from, and what is next on one.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "core/seam/control_stream.h"
#include "transport/control/grpc_control.h"
#include "transport/control/memory_control.h"

namespace ferry {

// Debian's gRPC is not instrumented: ThreadSanitizer does not see how it orders its threads, and reports all they do.
// What our side of it does is seen in grpc_stream_test.cc.
constexpr auto kWhyNoGrpc = "ThreadSanitizer does not understand a gRPC that was built without it";
inline bool grpc_can_be_tested() { return std::string_view(FERRY_SANITIZE) != "thread"; }

class ControlNetwork {
 public:
  virtual ~ControlNetwork() = default;
  virtual std::unique_ptr<ControlStream> listen() = 0;  // a second time: at the same place
  virtual std::unique_ptr<ControlStream> dial() = 0;
};

class MemoryNetwork final : public ControlNetwork {
 public:
  std::unique_ptr<ControlStream> listen() override { return control_.listen(); }
  std::unique_ptr<ControlStream> dial() override { return control_.dial(); }

 private:
  MemoryControl control_;
};

class GrpcNetwork final : public ControlNetwork {
 public:
  std::unique_ptr<ControlStream> listen() override {
    ControlServer server = make_grpc_control_server(address());
    port_ = server.port;
    return std::move(server.streams);
  }
  std::unique_ptr<ControlStream> dial() override { return make_grpc_control_client(address()); }

  int port() const { return port_; }
  std::string address() const { return str("127.0.0.1:", port_); }

 private:
  int port_ = 0;
};

// What is next on this end has to be an Event; nothing, or another one, fails the test at once.
template <class Event>
Event next(ControlStream& end) {
  const std::optional<ControlEvent> event = end.wait(std::chrono::seconds(60));
  if (!event) throw Error("nothing happens on this end");
  if (const auto* closed = std::get_if<StreamClosed>(&*event); closed && !std::is_same_v<Event, StreamClosed>) {
    throw Error(str("stream ", closed->stream, " was closed: ", closed->why));
  }
  if (!std::holds_alternative<Event>(*event)) throw Error(str("an event of kind ", event->index(), " came instead"));
  return std::get<Event>(*event);
}

inline std::string next_message(ControlStream& end) { return next<StreamMessage>(end).bytes; }

}  // namespace ferry
