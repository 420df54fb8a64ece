#pragma once
// Between HTTP and the router, on the one thread of serving: requests in, their events to whoever asked. The leaders'
// streams wake it from their own threads; time does, too.

#include <atomic>
#include <functional>
#include <memory>
#include <unordered_map>

#include "launch/observe/traffic.h"
#include "launch/runtime/cluster_router.h"
#include "launch/serve/asio.h"

namespace ferry {

class Gateway {
 public:
  using Sink = std::function<void(const RequestEvent& event)>;

  // Both outlive it; `io` has ended when it does.
  Gateway(asio::io_context& io, ClusterRouter& cluster);

  // The request's events go to `sink`, the last one last; sinks may submit and cancel.
  RequestId submit(Request request, Duration budget, Sink sink, const Tenant& tenant = {});
  void cancel(RequestId id);  // its sink hears nothing more

  // False: no group of that name has joined.
  bool drain(std::string_view group, bool on);

  void wake();  // from any thread: a leader said something

  const ClusterRouter& cluster() const { return cluster_; }
  const Traffic& traffic() const { return traffic_; }

 private:
  void turn();
  asio::awaitable<void> keep_time();
  void tell(const RequestEvent& event);

  asio::io_context& io_;
  ClusterRouter& cluster_;
  std::unordered_map<RequestId, std::shared_ptr<const Sink>> sinks_;
  RequestId next_id_ = 1;
  std::atomic<bool> awake_ = false;  // a turn is under way or will be
  Traffic traffic_;
};

}  // namespace ferry
