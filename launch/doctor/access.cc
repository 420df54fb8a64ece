// Who could come in.

#include <fmt/format.h>

#include "core/base/error.h"
#include "launch/auth/key_file.h"
#include "launch/auth/tls.h"
#include "launch/config/exposure.h"
#include "launch/doctor/cluster.h"
#include "launch/runtime/control_port.h"

namespace ferry {
namespace {

using Level = Finding::Level;

std::string http_access(const RouterConfig& router) {
  const std::string how =
      router.keys.empty() ? "everybody who reaches it" : fmt::format("{} keys", load_keys(router.keys).size());
  if (!router.tls.given()) return how + ", without TLS";
  tls_for_clients(router.tls);
  return how + ", over TLS";
}

std::string control_access(const RouterConfig& router) {
  const ControlSecurity security = control_security(router);
  return fmt::format("{}, {}", security.join_token.empty() ? "everybody who reaches it" : "a join token",
                     security.encrypts() ? "over mutual TLS" : "without TLS");
}

Finding access(std::string what, const std::optional<std::string>& open, const RouterConfig& router,
               std::string (*how)(const RouterConfig& router)) {
  Finding f{.what = std::move(what)};
  try {
    f.found = how(router);
    if (!open) return f;
    f.level = Level::problem;
    f.cost = "the router refuses to start like that";
    f.advice = *open;
  } catch (const Error& e) {
    f.level = Level::problem;
    f.found = e.what();
    f.cost = "the router does not start";
  }
  return f;
}

}  // namespace

std::vector<Finding> access_findings(const ClusterConfig& config) {
  return {access("who may ask (router.listen)", open_http(config), config.router, http_access),
          access("who may join (router.control)", open_control(config), config.router, control_access)};
}

}  // namespace ferry
