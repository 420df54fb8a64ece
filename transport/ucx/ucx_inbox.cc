#include "transport/ucx/ucx_inbox.h"

#include <cstring>
#include <string_view>
#include <utility>

#include "core/seam/kv_link.h"
#include "transport/ucx/ucx_handles.h"

namespace ferry {

UcxInbox::UcxInbox(ucp_worker_h worker, UcxRequests& requests, uint64_t tag, Handlers handlers)
    : worker_(worker), requests_(requests), tag_(tag), handlers_(std::move(handlers)) {
  // UCX looks up the number that stands in a message before it asks whether there is such a one. So there is every one.
  constexpr int kMaxId = UINT16_MAX;
  for (int id = kMaxId; id >= 0; --id) listen(static_cast<unsigned>(id), &UcxInbox::nonsense_arrives);
  listen(kMessageId, &UcxInbox::message_arrives);
  listen(kGreetingId, &UcxInbox::greeting_arrives);
}

void UcxInbox::listen(unsigned id, ucp_am_recv_callback_t callback) {
  ucp_am_handler_param_t params{};
  params.field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_FLAGS | UCP_AM_HANDLER_PARAM_FIELD_CB |
                      UCP_AM_HANDLER_PARAM_FIELD_ARG;
  params.id = id;
  params.flags = UCP_AM_FLAG_WHOLE_MSG;
  params.cb = callback;
  params.arg = this;
  need_ucx(ucp_worker_set_am_recv_handler(worker_, &params), "listen for messages");
}

// NOLINTNEXTLINE(readability-function-size): UCX calls it
ucs_status_t UcxInbox::message_arrives(void* inbox, const void* header, size_t header_bytes, void* data, size_t bytes,
                                       How how) {
  auto& self = *static_cast<UcxInbox*>(inbox);
  if (bytes > KvLink::kMaxMessage || !self.is_for_us(header, header_bytes)) {
    self.handlers_.refused();
    return UCS_OK;  // UCX drops it
  }
  if (how->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) {
    self.fetch(data, bytes);
    return UCS_INPROGRESS;
  }
  self.handlers_.message(std::string(static_cast<const char*>(data), bytes));
  return UCS_OK;
}

bool UcxInbox::is_for_us(const void* header, size_t header_bytes) const {
  return header_bytes == sizeof tag_ && std::memcmp(header, &tag_, sizeof tag_) == 0;
}

// A large message is announced first and fetched when there is room for it.
void UcxInbox::fetch(void* announced, size_t bytes) {
  const auto post = [this, announced](std::string& buffer, const ucp_request_param_t& params) {
    return ucp_am_recv_data_nbx(worker_, announced, buffer.data(), buffer.size(), &params);
  };
  requests_.receive(std::string(bytes, '\0'), post, [this](ucs_status_t status, std::string& message) {
    if (status == UCS_OK) handlers_.message(std::move(message));  // else its sender has gone meanwhile
  });
}

// Greetings are short: none is ever announced.
// NOLINTNEXTLINE(readability-function-size): UCX calls it
ucs_status_t UcxInbox::greeting_arrives(void* inbox, const void*, size_t, void* data, size_t bytes, How how) {
  auto& self = *static_cast<UcxInbox*>(inbox);
  const bool is_here = !(how->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV);
  auto greeting = is_here ? ucx_greeting_of({static_cast<const char*>(data), bytes}) : std::nullopt;
  if (greeting) {
    self.handlers_.greeting(*std::move(greeting));
  } else {
    self.handlers_.refused();
  }
  return UCS_OK;
}

// NOLINTNEXTLINE(readability-function-size): UCX calls it
ucs_status_t UcxInbox::nonsense_arrives(void* inbox, const void*, size_t, void*, size_t, How) {
  static_cast<UcxInbox*>(inbox)->handlers_.refused();
  return UCS_OK;
}

}  // namespace ferry
