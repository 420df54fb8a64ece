#pragma once
// UCX's context and worker as resources, and its status codes as errors.

#include <ucp/api/ucp.h>

#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "transport/ucx/ucx_link.h"

namespace ferry {

template <auto release>
struct UcxRelease {
  template <class T>
  void operator()(T* handle) const {
    release(handle);
  }
};
template <class Handle, auto release>
using UcxHandle = std::unique_ptr<std::remove_pointer_t<Handle>, UcxRelease<release>>;

using UcxContext = UcxHandle<ucp_context_h, ucp_cleanup>;
using UcxWorker = UcxHandle<ucp_worker_h, ucp_worker_destroy>;
using UcxRemoteKey = UcxHandle<ucp_rkey_h, ucp_rkey_destroy>;

UcxContext open_ucx_context(const std::vector<UcxOptions::Setting>& settings);
UcxWorker open_ucx_worker(ucp_context_h context);
std::string address_of(ucp_worker_h worker);

// Error("UCX cannot <what>: ...") unless it did.
void need_ucx(ucs_status_t status, std::string_view what);

}  // namespace ferry
