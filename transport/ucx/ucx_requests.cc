#include "transport/ucx/ucx_requests.h"

#include <utility>

namespace ferry {

void UcxRequests::send(std::string bytes, const Post& post, Done done) {
  ucp_request_param_t params{};
  params.cb.send = &UcxRequests::sent;
  start(std::move(bytes), post, std::move(done), params);
}

void UcxRequests::receive(std::string bytes, const Post& post, Done done) {
  ucp_request_param_t params{};
  params.cb.recv_am = &UcxRequests::received;
  start(std::move(bytes), post, std::move(done), params);
}

void UcxRequests::start(std::string bytes, const Post& post, Done done, ucp_request_param_t params) {
  in_flight_.push_front({.owner = this, .bytes = std::move(bytes), .done = std::move(done)});
  Request& request = in_flight_.front();
  request.self = in_flight_.begin();
  params.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
  params.user_data = &request;
  void* const answer = post(request.bytes, params);
  // A pointer means that the callback will come; anything else, that it will not.
  if (!UCS_PTR_IS_PTR(answer)) finish(request, UCS_PTR_STATUS(answer));
}

void UcxRequests::sent(void* handle, ucs_status_t status, void* request) {
  auto& finished = *static_cast<Request*>(request);
  ucp_request_free(handle);
  finished.owner->finish(finished, status);
}

void UcxRequests::received(void* handle, ucs_status_t status, size_t, void* request) { sent(handle, status, request); }

void UcxRequests::finish(Request& request, ucs_status_t status) {
  std::list<Request> finished;
  finished.splice(finished.begin(), in_flight_, request.self);
  request.done(status, request.bytes);
}

}  // namespace ferry
