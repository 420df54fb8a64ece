#include "launch/runtime/serve_http.h"

#include <spdlog/spdlog.h>

#include <functional>

#include "core/base/error.h"
#include "launch/config/exposure.h"
#include "launch/process/descriptor_limit.h"
#include "launch/runtime/control_port.h"
#include "launch/serve/http_server.h"
#include "launch/serve/service.h"

namespace ferry {

namespace {

constexpr auto kDrainPatience = std::chrono::seconds(3);
constexpr auto kClosePatience = std::chrono::seconds(1);

asio::awaitable<void> wait_until(std::function<bool()> holds, asio::steady_timer::duration patience) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!holds() && std::chrono::steady_clock::now() < end) {
    timer.expires_after(std::chrono::milliseconds(20));
    co_await timer.async_wait(asio::use_awaitable);
  }
}

// After a signal nobody new is let in; those inside have a while to get their answers.
asio::awaitable<void> stop_when_told(StopSignals& signals, HttpServer& http, asio::io_context& io) {
  asio::posix::stream_descriptor signal(io, dup(signals.fd()));
  co_await signal.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
  spdlog::info("router: stops; {} connections are open", http.n_connections());
  http.stop_accepting();
  std::function<bool()> idle = [&http] { return http.n_busy() == 0; };
  co_await wait_until(std::move(idle), kDrainPatience);
  http.close_all();
  std::function<bool()> closed = [&http] { return http.n_connections() == 0; };
  co_await wait_until(std::move(closed), kClosePatience);
  io.stop();
}

// Beside clients: leaders' streams, files, epoll.
constexpr int kOtherDescriptors = 256;

void make_room_for(int n_connections) {
  const int n_descriptors = raise_descriptor_limit();
  if (n_descriptors >= n_connections + kOtherDescriptors) return;
  spdlog::warn(
      "router.limits.connections is {}, but this process may only have {} files open: clients over that wait. "
      "Raise it with ulimit -n {}",
      n_connections, n_descriptors, n_connections + kOtherDescriptors);
}

}  // namespace

void serve_http(const ClusterConfig& config, StopSignals& signals) {
  make_room_for(config.router.limits.connections);
  asio::io_context io(1);
  Waker waker(io);
  if (const auto open = open_http(config)) throw Error(*open);
  ControlServer control = listen_for_leaders(config, config.router.control.port, [&waker] { waker.wake(); });
  ClusterRouter cluster(config, *control.streams);
  Gateway gateway(io, cluster, waker);
  Service service(gateway);
  HttpServer http(io, config.router,
                  {.identify = [&service](const HttpHeader& header,
                                          const asio::ip::address& peer) { return service.identify(header, peer); },
                   .answer = [&service](Exchange& exchange) { return service.answer(exchange); }});
  asio::co_spawn(io, stop_when_told(signals, http, io), asio::detached);
  spdlog::info("router: HTTP at {}://{}, leaders dial in at {}", config.router.tls.given() ? "https" : "http",
               HostPort{config.router.listen.host, http.port()}.text(), config.router.control.text());
  io.run();
  cluster.stop_groups();
}

}  // namespace ferry
