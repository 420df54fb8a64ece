#pragma once
// Greetings that a channel could not get out before its endpoint had to end: the peer stood still, and its queue was
// full. They have a worker of their own and go out when the peer goes on, however late, even when the channel is gone
// by then.

#include <chrono>
#include <list>
#include <memory>
#include <optional>

#include "transport/ucx/ucx_address.h"
#include "transport/ucx/ucx_endpoint.h"
#include "transport/ucx/ucx_greeting.h"
#include "transport/ucx/ucx_handles.h"
#include "transport/ucx/ucx_inbox.h"
#include "transport/ucx/ucx_requests.h"

namespace ferry {

// What is said again waits this long after n times before: twice as long each time, since UCX may leak a little.
std::chrono::milliseconds ucx_pause_after(int n);

class UcxCourier {
 public:
  explicit UcxCourier(ucp_context_h context) : context_(context) {}  // which outlives it
  UcxCourier(const UcxCourier&) = delete;
  UcxCourier& operator=(const UcxCourier&) = delete;

  // Until it is out, or the peer's process has ended. One that is under way already is not sent twice.
  void deliver(const UcxAddress& to, const UcxGreeting& greeting);
  void withdraw(const UcxGreeting& greeting);  // to whomever

  void progress();
  bool idle() const { return deliveries_.empty(); }

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Delivery {
    UcxAddress to;
    UcxGreeting greeting;
    std::unique_ptr<UcxEndpoint> endpoint = nullptr;  // none before the first attempt, and between two
    bool over = false;                                // it is out, or need not be any more
    int n_attempts = 0;
    Time next = {};
  };
  struct Worker {
    Worker(ucp_context_h context, UcxRequests& requests);
    UcxWorker worker;
    UcxInbox inbox;  // nobody has anything to say to it, and what comes all the same does no harm
  };

  void attempt(Delivery& delivery, Time now);
  bool is_done(Delivery& delivery, Time now, bool look);

  const ucp_context_h context_;
  UcxRequests requests_;
  std::list<Delivery> deliveries_;  // in place: requests know them
  std::optional<Worker> worker_;    // as long as there is something to do
  Time next_look_ = {};
};

}  // namespace ferry
