#include "launch/runtime/control_port.h"

#include "core/base/error.h"
#include "launch/auth/guarded_file.h"
#include "launch/auth/live_files.h"
#include "launch/auth/tls.h"
#include "launch/config/exposure.h"

namespace ferry {

ControlSecurity control_security(const RouterConfig& config) {
  ControlSecurity security;
  if (!config.join_token.empty()) security.join_token = read_token(config.join_token);
  if (const ControlTlsConfig& files = config.control_tls; files.given()) {
    LiveFiles<ControlTls> live("router.control_tls", {files.certificate, files.key, files.ca},
                               [files] { return tls_for_leaders(files); });
    security.tls = [live = std::move(live)]() mutable { return live.for_new_connection(); };
  }
  return security;
}

ControlServer listen_for_leaders(const ClusterConfig& config, int port, std::function<void()> wake) {
  if (const auto open = open_control(config)) throw Error(*open);
  return make_grpc_control_server(HostPort{config.router.control.host, port}.text(), control_security(config.router),
                                  std::move(wake));
}

}  // namespace ferry
