#pragma once
// Between HTTP and the router, on the one thread of serving: requests in, their events to whoever asked. The leaders'
// streams wake it from their own threads; time does, too.

#include <functional>
#include <memory>
#include <unordered_map>

#include "launch/observe/traffic.h"
#include "launch/runtime/cluster_router.h"
#include "launch/serve/waker.h"

namespace ferry {

class Gateway {
 public:
  using Sink = std::function<void(const RequestEvent& event)>;

  // All outlive it; `io` has ended when it does. `waker`: woken when a leader said something.
  Gateway(asio::io_context& io, ClusterRouter& cluster, Waker& waker);
  ~Gateway() { waker_.when_woken({}); }
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  // The request's events go to `sink`, the last one last; sinks may submit and cancel.
  RequestId submit(Request request, Duration budget, Sink sink, const Tenant& tenant = {});
  void cancel(RequestId id);  // its sink hears nothing more

  // False: no group of that name has joined.
  bool drain(std::string_view group, bool on);

  const ClusterRouter& cluster() const { return cluster_; }
  const Traffic& traffic() const { return traffic_; }

 private:
  void turn();
  asio::awaitable<void> keep_time(asio::io_context& io);
  void tell(const RequestEvent& event);

  ClusterRouter& cluster_;
  Waker& waker_;
  std::unordered_map<RequestId, std::shared_ptr<const Sink>> sinks_;
  RequestId next_id_ = 1;
  Traffic traffic_;
};

}  // namespace ferry
