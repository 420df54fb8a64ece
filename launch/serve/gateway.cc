#include "launch/serve/gateway.h"

#include <spdlog/spdlog.h>

namespace ferry {

namespace {
constexpr auto kTick = std::chrono::milliseconds(10);  // deadlines and the like; all else happens at once
}

Gateway::Gateway(asio::io_context& io, ClusterRouter& cluster, Waker& waker) : cluster_(cluster), waker_(waker) {
  waker_.when_woken([this] { turn(); });
  asio::co_spawn(io, keep_time(io), asio::detached);
}

RequestId Gateway::submit(Request request, Duration budget, Sink sink, const Tenant& tenant) {
  const RequestId id = request.id = next_id_++;
  sinks_.emplace(id, std::make_shared<const Sink>(std::move(sink)));
  traffic_.began(id, static_cast<int>(request.prompt.size()), cluster_.clock().now());
  cluster_.router().submit(std::move(request), budget, tenant);
  waker_.wake();
  return id;
}

void Gateway::cancel(RequestId id) {
  if (sinks_.erase(id) == 0) return;
  traffic_.cancelled(id);
  cluster_.router().cancel(id);
  waker_.wake();
}

bool Gateway::drain(std::string_view group, bool on) {
  const bool is_here = cluster_.router().drain(group, on);
  waker_.wake();  // what waits may have a way now, or none any more
  return is_here;
}

void Gateway::turn() {
  cluster_.turn(Duration::zero());
  for (const RequestEvent& event : cluster_.router().take_events()) tell(event);
  cluster_.router().serve();
  cluster_.send();
}

asio::awaitable<void> Gateway::keep_time(asio::io_context& io) {
  asio::steady_timer timer(io);
  for (;;) {
    timer.expires_after(kTick);
    co_await timer.async_wait(asio::use_awaitable);
    cluster_.router().tick();
    cluster_.report_news();
    turn();
  }
}

void Gateway::tell(const RequestEvent& event) {
  const auto found = sinks_.find(event.id);
  if (found == sinks_.end()) return;
  traffic_.heard(event, cluster_.clock().now());
  const std::shared_ptr<const Sink> sink = found->second;  // it may cancel what it is told of
  if (event.last()) sinks_.erase(found);
  (*sink)(event);
}

}  // namespace ferry
