#pragma once
// The connection to one peer: puts into its memory, flushes, messages.
//
// Puts, and the flushes behind them, wait for the key to the peer's memory. An endpoint that cannot be made has failed
// like one that fails later; what is posted to a failed one is dropped.

#include <ucp/api/ucp.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "core/seam/kv_link.h"
#include "transport/ucx/ucx_address.h"
#include "transport/ucx/ucx_greeting.h"
#include "transport/ucx/ucx_handles.h"
#include "transport/ucx/ucx_memory.h"
#include "transport/ucx/ucx_requests.h"

namespace ferry {

class UcxEndpoint {
 public:
  using Failed = std::function<void(std::string why)>;  // called once at most, and not after close()

  UcxEndpoint(ucp_worker_h worker, UcxRequests& requests, UcxAddress peer, Failed failed);
  UcxEndpoint(const UcxEndpoint&) = delete;
  UcxEndpoint& operator=(const UcxEndpoint&) = delete;

  const UcxAddress& peer() const { return peer_; }
  bool usable() const { return usable_; }                 // neither failed nor closed
  std::string transport(ucs_memory_type_t memory) const;  // what carries puts from such memory
  bool shares_memory() const { return shares_memory_; }   // true until it is known

  void accept_key(const std::string& key);
  void put(const UcxMemory& from, const Piece& piece);
  void flush(std::function<void()> flushed);
  bool has_put() const { return has_put_; }  // it reads our memory, or has
  void send(std::string message);
  void greet(const UcxGreeting& greeting, std::function<void()> sent = {});

  void look_after_peer();  // fails when its process has ended
  void fail(std::string why);

  // Nothing is posted, or told, from here on. Once what was put is in, `farewell` goes to the peer.
  void close(const Farewell& farewell);
  // Drives what close() began, without waiting for the peer longer than for the farewell to go out. True at last: then
  // the endpoint may be destroyed.
  bool finish_close();
  void hurry() { said_farewell_ = true; }  // no longer than until now
  // The peer waits for the farewell: it shares memory with us, has heard of us, and not that this is over.
  bool owes_farewell() const { return connected_ && shares_memory_ && !told_farewell_; }
  void forget_key() { key_.reset(); }  // before the worker goes

 private:
  ucs_status_t open(ucp_worker_h worker);
  static void lost(void* endpoint, ucp_ep_h, ucs_status_t status);
  void introduce();
  static void put_ended(void* request, ucs_status_t status, void* endpoint);
  // `ended` runs whatever comes of it, unless the endpoint has failed already.
  void post(std::string bytes, const UcxRequests::Post& post, std::function<void(ucs_status_t)> ended);
  void post_message(unsigned id, std::string bytes, std::function<void(ucs_status_t)> ended);

  UcxRequests& requests_;
  const UcxAddress peer_;
  const uint64_t tag_;  // of the peer
  Failed failed_;
  ucp_ep_h endpoint_ = nullptr;
  UcxRemoteKey key_;
  std::vector<std::function<void()>> waiting_;  // for the key
  bool usable_ = true;
  bool settled_ = false;  // connected for good, or failed
  bool connected_ = false;
  bool shares_memory_;
  bool said_farewell_ = false;  // or need not wait for that
  bool told_farewell_ = false;  // it is out
  bool has_put_ = false;
  int n_in_flight_ = 0;
};

}  // namespace ferry
