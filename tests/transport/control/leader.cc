// A leader in a process of its own, for tests that kill it: `control_leader ADDRESS` says hello on every stream. It
// ends when nothing happens for long, in case the test was killed first.

#include "transport/control/grpc_control.h"

int main(int, char** argv) {
  const auto router = ferry::make_grpc_control_client(argv[1]);
  while (const auto event = router->wait(std::chrono::minutes(1))) {
    if (std::holds_alternative<ferry::StreamOpened>(*event)) {
      router->send(std::get<ferry::StreamOpened>(*event).stream, "hello");
    }
  }
}
