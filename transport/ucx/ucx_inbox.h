#pragma once
// What arrives at a worker: messages and greetings, whole. What is too large or makes no sense is dropped and counted.

#include <ucp/api/ucp.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "transport/ucx/ucx_greeting.h"
#include "transport/ucx/ucx_requests.h"

namespace ferry {

// The active messages that carry Ferry's messages, and greetings.
constexpr unsigned kMessageId = 1, kGreetingId = 2;

class UcxInbox {
 public:
  struct Handlers {  // called while the worker makes progress: they must not touch endpoints
    std::function<void(std::string)> message;
    std::function<void(UcxGreeting)> greeting;
    std::function<void()> refused;
  };

  UcxInbox(ucp_worker_h worker, UcxRequests& requests, uint64_t tag, Handlers handlers);
  UcxInbox(const UcxInbox&) = delete;
  UcxInbox& operator=(const UcxInbox&) = delete;

 private:
  using How = const ucp_am_recv_param_t*;

  void listen(unsigned id, ucp_am_recv_callback_t callback);
  static ucs_status_t message_arrives(void* inbox, const void* header, size_t header_bytes, void* data, size_t bytes,
                                      How how);
  static ucs_status_t greeting_arrives(void* inbox, const void*, size_t, void* data, size_t bytes, How how);
  static ucs_status_t nonsense_arrives(void* inbox, const void*, size_t, void*, size_t, How);
  bool is_for_us(const void* header, size_t header_bytes) const;
  void fetch(void* announced, size_t bytes);

  ucp_worker_h worker_;
  UcxRequests& requests_;
  const uint64_t tag_;
  Handlers handlers_;
};

}  // namespace ferry
