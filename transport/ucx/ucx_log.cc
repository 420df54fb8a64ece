#include "transport/ucx/ucx_log.h"

#include <ucs/debug/log_def.h>

#include <cstdio>
#include <mutex>
#include <string_view>

namespace ferry {

namespace {

// As one write: other threads and processes say something, too.
// NOLINTNEXTLINE(readability-function-size): UCX calls it
ucs_log_func_rc_t to_stderr(const char*, unsigned, const char*, ucs_log_level_t level,
                            const ucs_log_component_config_t*, const char* format, va_list values) {
  char message[1024];
  std::vsnprintf(message, sizeof message, format, values);
  std::fprintf(stderr, "UCX %s: %s\n", ucs_log_level_names[level], message);
  return UCS_LOG_FUNC_RC_STOP;
}

}  // namespace

void keep_ucx_off_stdout() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (std::string_view(ucs_global_opts.log_file).empty()) ucs_log_push_handler(&to_stderr);
  });
}

}  // namespace ferry
