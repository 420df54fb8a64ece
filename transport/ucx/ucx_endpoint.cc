#include "transport/ucx/ucx_endpoint.h"

#include <utility>

#include "core/base/error.h"
#include "transport/ucx/ucx_carrier.h"

namespace ferry {

namespace {

UcxRequests::Post flush_of(ucp_ep_h endpoint) {
  return [endpoint](std::string&, const ucp_request_param_t& params) { return ucp_ep_flush_nbx(endpoint, &params); };
}

}  // namespace

UcxEndpoint::UcxEndpoint(ucp_worker_h worker, UcxRequests& requests, const UcxAddress& peer, Failed failed)
    : requests_(requests),
      failed_(std::move(failed)),
      process_(peer.process),
      base_(peer.base),
      memory_bytes_(peer.bytes) {
  look_after_peer();  // UCX leaks what it has made of an endpoint when the shared memory behind it is gone
  if (!usable_) return;
  const ucs_status_t status = open(worker, peer);
  if (endpoint_) greet();
  if (status != UCS_OK) fail(ucs_status_string(status));
}

ucs_status_t UcxEndpoint::open(ucp_worker_h worker, const UcxAddress& peer) {
  ucp_ep_params_t params{};
  params.field_mask =
      UCP_EP_PARAM_FIELD_REMOTE_ADDRESS | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE | UCP_EP_PARAM_FIELD_ERR_HANDLER;
  params.address = reinterpret_cast<const ucp_address_t*>(peer.worker.data());
  params.err_mode = UCP_ERR_HANDLING_MODE_PEER;
  params.err_handler = {.cb = &UcxEndpoint::lost, .arg = this};
  ucp_ep_h endpoint = nullptr;
  ucs_status_t status = ucp_ep_create(worker, &params, &endpoint);
  if (status != UCS_OK) return status;
  endpoint_ = endpoint;
  ucp_rkey_h key = nullptr;
  status = ucp_ep_rkey_unpack(endpoint, peer.key.data(), &key);
  if (status == UCS_OK) key_.reset(key);
  return status;
}

std::string UcxEndpoint::transport() const { return endpoint_ ? carrier_of(endpoint_) : "none"; }

void UcxEndpoint::put(const UcxMemory& from, std::span<const Piece> pieces) {
  ucp_request_param_t params{};
  params.op_attr_mask = UCP_OP_ATTR_FIELD_MEMH | UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
  params.memh = from.handle();
  params.cb.send = &UcxEndpoint::put_ended;
  params.user_data = this;
  for (const Piece& piece : pieces) {
    if (!usable_) return;
    const std::byte* source = from.span().data() + piece.from;
    void* const answer = ucp_put_nbx(endpoint_, source, piece.bytes, base_ + piece.to, key_.get(), &params);
    if (UCS_PTR_IS_PTR(answer)) ++n_in_flight_;
    if (UCS_PTR_IS_ERR(answer)) fail(ucs_status_string(UCS_PTR_STATUS(answer)));
  }
}

void UcxEndpoint::put_ended(void* request, ucs_status_t status, void* endpoint) {
  ucp_request_free(request);
  auto& self = *static_cast<UcxEndpoint*>(endpoint);
  --self.n_in_flight_;
  if (status != UCS_OK) self.fail(ucs_status_string(status));
}

// A flush of nothing ends when both sides are connected. Until then the endpoint must not be closed: UCX asserts, in
// the peer, that nobody hangs up in the middle of the introductions.
void UcxEndpoint::greet() {
  ++n_in_flight_;
  requests_.send({}, flush_of(endpoint_), [this](ucs_status_t status, std::string&) {
    --n_in_flight_;
    settled_ = true;
    if (status != UCS_OK) fail(ucs_status_string(status));
  });
}

void UcxEndpoint::flush(std::function<void()> flushed) { post({}, flush_of(endpoint_), std::move(flushed)); }

void UcxEndpoint::send(std::string message) {
  const auto post_message = [this](std::string& bytes, const ucp_request_param_t& params) {
    return ucp_am_send_nbx(endpoint_, kMessageId, nullptr, 0, bytes.data(), bytes.size(), &params);
  };
  post(std::move(message), post_message, [] {});
}

void UcxEndpoint::post(std::string bytes, const UcxRequests::Post& post, std::function<void()> done) {
  if (!usable_) return;
  ++n_in_flight_;
  requests_.send(std::move(bytes), post, [this, done = std::move(done)](ucs_status_t status, std::string&) {
    --n_in_flight_;
    if (status != UCS_OK) fail(ucs_status_string(status));
    if (usable_) done();
  });
}

void UcxEndpoint::close() {
  usable_ = false;
  finish_close();
}

bool UcxEndpoint::finish_close() {
  if (endpoint_ && settled_) {
    ucp_request_param_t params{};
    params.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
    params.flags = UCP_EP_CLOSE_FLAG_FORCE;  // cancels what is in flight
    void* const answer = ucp_ep_close_nbx(std::exchange(endpoint_, nullptr), &params);
    if (UCS_PTR_IS_PTR(answer)) ucp_request_free(answer);
  }
  return !endpoint_ && n_in_flight_ == 0;
}

void UcxEndpoint::lost(void* endpoint, ucp_ep_h, ucs_status_t status) {
  static_cast<UcxEndpoint*>(endpoint)->fail(ucs_status_string(status));
}

void UcxEndpoint::look_after_peer() {
  if (usable_ && has_ended(process_)) fail(str("process ", process_.pid, " has ended"));
}

void UcxEndpoint::fail(std::string why) {
  settled_ = true;
  if (std::exchange(usable_, false)) failed_(std::move(why));
}

}  // namespace ferry
