#pragma once
// Control streams over gRPC: one bidirectional call a stream. gRPC's threads hand what happens to the owner through a
// bounded queue; a silent host is noticed within about two seconds by pings in both directions.

#include <functional>
#include <memory>
#include <string>

#include "core/seam/control_stream.h"
#include "transport/control/control_security.h"

namespace ferry {

struct ControlServer {
  std::unique_ptr<ControlStream> streams;
  int port = 0;  // really bound, where port 0 was asked for
};

// `address` is "host:port". Throws Error, if it cannot be bound, or a certificate cannot be used. Who dials without the
// token is a StreamRefused. `wake`: called in one of gRPC's threads whenever there is a new event, for an owner that
// sleeps elsewhere than in wait(); it must not block.
ControlServer make_grpc_control_server(const std::string& address, const ControlSecurity& security = {},
                                       std::function<void()> wake = {});

// Dials `address` until somebody answers, and again whenever the stream breaks; each time it is a new stream. Between
// attempts it waits 100 ms, twice as long after each failure, 2 s at most. Not to be let in is a StreamRefused.
std::unique_ptr<ControlStream> make_grpc_control_client(const std::string& address, ControlSecurity security = {});

}  // namespace ferry
