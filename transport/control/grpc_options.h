#pragma once
// The same for servers and clients of control streams.

#include <grpc/grpc.h>
#include <grpc/support/log.h>

#include "transport/control/limits.h"

namespace ferry {

// `set(name, value)` sets one option, of whichever end it is.
template <class Set>
void set_control_options(Set set) {
  // A host that vanished, or a process that is stopped, does not answer a ping.
  set(GRPC_ARG_KEEPALIVE_TIME_MS, 700);
  set(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 1000);
  set(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  set(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // no bound
  set(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);        // nobody is told that he pings too often
  set(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 100);
  // The frame around a message takes a few bytes.
  set(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, static_cast<int>(kMaxMessageBytes) + 1024);
  set(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, static_cast<int>(kMaxMessageBytes) + 1024);
}

constexpr const char* kTokenKey = "ferry-join-token";  // of the call's metadata

// What goes wrong is an event or an Error here, and not also a line on stderr.
inline void silence_grpc() {
  gpr_set_log_function([](gpr_log_func_args*) {});
}

}  // namespace ferry
