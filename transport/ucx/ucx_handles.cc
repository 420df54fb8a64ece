#include "transport/ucx/ucx_handles.h"

#include "core/base/error.h"
#include "transport/ucx/ucx_log.h"

namespace ferry {

namespace {

using UcxConfig = UcxHandle<ucp_config_t*, ucp_config_release>;

// Until 1.16, UCX wants a transport's settings without the transport's name when they are set through its API.
std::string name_for_this_ucx(const std::string& name) {
  unsigned major = 0, minor = 0, release = 0;
  ucp_get_version(&major, &minor, &release);
  if (major > 1 || minor > 16) return name;
  for (const std::string_view prefix : {"TCP_", "CMA_", "RC_VERBS_", "UD_VERBS_", "RC_MLX5_", "UD_MLX5_", "DC_MLX5_"})
    if (name.starts_with(prefix)) return name.substr(prefix.size());
  return name;
}

UcxConfig config_of(const std::vector<UcxOptions::Setting>& settings) {
  ucp_config_t* config = nullptr;
  need_ucx(ucp_config_read(nullptr, nullptr, &config), "read its configuration");
  UcxConfig owned(config);
  for (const auto& [name, value] : settings)
    need_ucx(ucp_config_modify(config, name_for_this_ucx(name).c_str(), value.c_str()),
             str("set ", name, " to ", value));
  return owned;
}

}  // namespace

UcxContext open_ucx_context(const std::vector<UcxOptions::Setting>& settings) {
  keep_ucx_off_stdout();
  const UcxConfig config = config_of(settings);
  ucp_params_t params{};
  params.field_mask = UCP_PARAM_FIELD_FEATURES;
  params.features = UCP_FEATURE_RMA | UCP_FEATURE_AM;
  ucp_context_h context = nullptr;
  need_ucx(ucp_init(&params, config.get(), &context), str("start with transports ", settings.front().value));
  return UcxContext(context);
}

UcxWorker open_ucx_worker(ucp_context_h context) {
  ucp_worker_params_t params{};
  params.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE | UCP_WORKER_PARAM_FIELD_FLAGS;
  params.thread_mode = UCS_THREAD_MODE_SINGLE;
  // What was posted to a peer that died over shared memory is never given back: it goes with the worker.
  params.flags = UCP_WORKER_FLAG_IGNORE_REQUEST_LEAK;
  ucp_worker_h worker = nullptr;
  need_ucx(ucp_worker_create(context, &params, &worker), "open its transports");
  return UcxWorker(worker);
}

std::string address_of(ucp_worker_h worker) {
  ucp_address_t* address = nullptr;
  size_t bytes = 0;
  need_ucx(ucp_worker_get_address(worker, &address, &bytes), "tell its address");
  std::string result(reinterpret_cast<const char*>(address), bytes);
  ucp_worker_release_address(worker, address);
  return result;
}

void need_ucx(ucs_status_t status, std::string_view what) {
  if (status != UCS_OK) throw Error(str("UCX cannot ", what, ": ", ucs_status_string(status)));
}

}  // namespace ferry
