#include "transport/ucx/ucx_endpoint.h"

#include <utility>

#include "core/base/error.h"
#include "transport/ucx/ucx_carrier.h"
#include "transport/ucx/ucx_inbox.h"

namespace ferry {

namespace {

UcxRequests::Post flush_of(ucp_ep_h endpoint) {
  return [endpoint](std::string&, const ucp_request_param_t& params) { return ucp_ep_flush_nbx(endpoint, &params); };
}

}  // namespace

UcxEndpoint::UcxEndpoint(ucp_worker_h worker, UcxRequests& requests, UcxAddress peer, Failed failed)
    : requests_(requests),
      peer_(std::move(peer)),
      tag_(tag_of(peer_)),
      failed_(std::move(failed)),
      shares_memory_(on_this_machine(peer_.process)) {
  look_after_peer();  // UCX leaks what it has made of an endpoint when the shared memory behind it is gone
  if (!usable_) return;
  const ucs_status_t status = open(worker);
  if (endpoint_) introduce();
  if (status != UCS_OK) fail(ucs_status_string(status));
}

ucs_status_t UcxEndpoint::open(ucp_worker_h worker) {
  ucp_ep_params_t params{};
  params.field_mask =
      UCP_EP_PARAM_FIELD_REMOTE_ADDRESS | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE | UCP_EP_PARAM_FIELD_ERR_HANDLER;
  params.address = reinterpret_cast<const ucp_address_t*>(peer_.worker.data());
  params.err_mode = UCP_ERR_HANDLING_MODE_PEER;
  params.err_handler = {.cb = &UcxEndpoint::lost, .arg = this};
  ucp_ep_h endpoint = nullptr;
  const ucs_status_t status = ucp_ep_create(worker, &params, &endpoint);
  if (status == UCS_OK) endpoint_ = endpoint;
  return status;
}

// A flush of nothing ends when both sides are connected. Until then the endpoint must not be closed: UCX asserts, in
// the peer, that nobody hangs up in the middle of the introductions.
void UcxEndpoint::introduce() {
  ++n_in_flight_;
  requests_.send({}, flush_of(endpoint_), [this](ucs_status_t status, std::string&) {
    --n_in_flight_;
    settled_ = true;
    if (status != UCS_OK) return fail(ucs_status_string(status));
    connected_ = true;
    if (endpoint_) shares_memory_ = ferry::shares_memory(endpoint_);
  });
}

std::string UcxEndpoint::transport(ucs_memory_type_t memory) const {
  if (!endpoint_) return "none";
  return memory == UCS_MEMORY_TYPE_CUDA ? carrier_of_card(endpoint_) : carrier_of(endpoint_);
}

void UcxEndpoint::accept_key(const std::string& bytes) {
  if (!usable_ || key_) return;
  ucp_rkey_h key = nullptr;
  const ucs_status_t status = ucp_ep_rkey_unpack(endpoint_, bytes.data(), &key);
  if (status != UCS_OK) return fail(ucs_status_string(status));
  key_.reset(key);
  for (const auto& post : std::exchange(waiting_, {})) post();
}

void UcxEndpoint::put(const UcxMemory& from, const Piece& piece) {
  if (!usable_) return;
  if (!key_) {
    waiting_.push_back([this, &from, piece] { put(from, piece); });
    return;
  }
  ucp_request_param_t params;  // not cleared: a put over shared memory may take less time than that
  params.op_attr_mask =
      UCP_OP_ATTR_FIELD_MEMH | UCP_OP_ATTR_FIELD_MEMORY_TYPE | UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
  params.memh = from.handle();
  params.memory_type = from.type();
  params.cb.send = &UcxEndpoint::put_ended;
  params.user_data = this;
  has_put_ = true;
  const std::byte* source = from.span().data() + piece.from;
  void* const answer = ucp_put_nbx(endpoint_, source, piece.bytes, peer_.base + piece.to, key_.get(), &params);
  if (UCS_PTR_IS_PTR(answer)) ++n_in_flight_;
  if (UCS_PTR_IS_ERR(answer)) fail(ucs_status_string(UCS_PTR_STATUS(answer)));
}

void UcxEndpoint::put_ended(void* request, ucs_status_t status, void* endpoint) {
  ucp_request_free(request);
  auto& self = *static_cast<UcxEndpoint*>(endpoint);
  --self.n_in_flight_;
  if (status != UCS_OK) self.fail(ucs_status_string(status));
}

void UcxEndpoint::flush(std::function<void()> flushed) {
  if (!usable_) return;
  if (!key_) {
    waiting_.push_back([this, flushed = std::move(flushed)] { flush(flushed); });
    return;
  }
  post({}, flush_of(endpoint_), [this, flushed = std::move(flushed)](ucs_status_t) {
    if (usable_) flushed();
  });
}

void UcxEndpoint::send(std::string message) {
  if (usable_) post_message(kMessageId, std::move(message), [](ucs_status_t) {});
}

void UcxEndpoint::greet(const UcxGreeting& greeting, std::function<void()> sent) {
  if (!usable_) return;
  post_message(kGreetingId, packed(greeting), [sent = std::move(sent)](ucs_status_t status) {
    if (status == UCS_OK && sent) sent();
  });
}

void UcxEndpoint::post_message(unsigned id, std::string bytes, std::function<void(ucs_status_t)> ended) {
  const auto send = [this, id](std::string& message, const ucp_request_param_t& params) {
    return ucp_am_send_nbx(endpoint_, id, &tag_, sizeof tag_, message.data(), message.size(), &params);
  };
  post(std::move(bytes), send, std::move(ended));
}

void UcxEndpoint::post(std::string bytes, const UcxRequests::Post& post, std::function<void(ucs_status_t)> ended) {
  ++n_in_flight_;
  requests_.send(std::move(bytes), post, [this, ended = std::move(ended)](ucs_status_t status, std::string&) {
    --n_in_flight_;
    if (status != UCS_OK) fail(ucs_status_string(status));
    ended(status);
  });
}

void UcxEndpoint::close(const Farewell& farewell) {
  if (!std::exchange(usable_, false)) return;  // nothing was put, or the farewell is on its way
  waiting_.clear();
  post({}, flush_of(endpoint_), [this, farewell](ucs_status_t status) {
    if (status != UCS_OK || !endpoint_) return hurry();
    post_message(kGreetingId, packed(farewell), [this](ucs_status_t sent) {
      told_farewell_ = sent == UCS_OK;
      hurry();
    });
  });
}

bool UcxEndpoint::finish_close() {
  if (endpoint_ && settled_ && said_farewell_) {
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
  if (usable_ && has_ended(peer_.process)) fail(str("process ", peer_.process.pid, " has ended"));
}

void UcxEndpoint::fail(std::string why) {
  settled_ = true;
  said_farewell_ = true;
  waiting_.clear();
  if (std::exchange(usable_, false)) failed_(std::move(why));
}

}  // namespace ferry
