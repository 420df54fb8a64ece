#pragma once
// The connection to one peer: puts into its memory, flushes, messages.
//
// An endpoint that cannot be made has failed like one that fails later; what is posted to a failed one is dropped.

#include <ucp/api/ucp.h>

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "core/seam/kv_link.h"
#include "transport/ucx/ucx_address.h"
#include "transport/ucx/ucx_handles.h"
#include "transport/ucx/ucx_memory.h"
#include "transport/ucx/ucx_requests.h"

namespace ferry {

// The active message that carries Ferry's messages.
constexpr unsigned kMessageId = 1;

class UcxEndpoint {
 public:
  using Failed = std::function<void(std::string why)>;  // called once at most, and not after close()

  UcxEndpoint(ucp_worker_h worker, UcxRequests& requests, const UcxAddress& peer, Failed failed);
  UcxEndpoint(const UcxEndpoint&) = delete;
  UcxEndpoint& operator=(const UcxEndpoint&) = delete;

  uint64_t memory_bytes() const { return memory_bytes_; }  // of the peer
  std::string transport() const;

  void put(const UcxMemory& from, std::span<const Piece> pieces);
  void flush(std::function<void()> flushed);
  void send(std::string message);

  void look_after_peer();  // fails when its process has ended

  void close();  // nothing is posted, or told, from here on
  // Drives what close() began, without waiting for the peer. True at last: then the endpoint may be destroyed.
  bool finish_close();
  void forget_key() { key_.reset(); }  // before the worker goes

 private:
  ucs_status_t open(ucp_worker_h worker, const UcxAddress& peer);
  static void lost(void* endpoint, ucp_ep_h, ucs_status_t status);
  void greet();
  static void put_ended(void* request, ucs_status_t status, void* endpoint);
  void post(std::string bytes, const UcxRequests::Post& post, std::function<void()> done);
  void fail(std::string why);

  UcxRequests& requests_;
  Failed failed_;
  Process process_;
  uint64_t base_ = 0;
  uint64_t memory_bytes_ = 0;
  ucp_ep_h endpoint_ = nullptr;
  UcxRemoteKey key_;
  bool usable_ = true;
  bool settled_ = false;  // connected for good, or failed
  int n_in_flight_ = 0;
};

}  // namespace ferry
