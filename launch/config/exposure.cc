#include "launch/config/exposure.h"

#include <fmt/format.h>

namespace ferry {

namespace {

std::optional<std::string> problem_of(const ClusterConfig& config, std::string_view key, const HostPort& at,
                                      std::string_view fix) {
  if (is_loopback(at.host) || config.router.allow_unauthenticated == Switch::on) return std::nullopt;
  return fmt::format(
      "{}: router.{}: {} can be reached from other hosts, and whoever does needs no {}. Or, where the network keeps "
      "strangers out, write router.allow_unauthenticated: true",
      config.source.place(fmt::format("router.{}", key)), key, at.text(), fix);
}

}  // namespace

bool is_loopback(std::string_view host) {
  if (host == "localhost" || host == "::1") return true;
  const bool is_number =
      host.find_first_not_of("0123456789.") == std::string_view::npos;  // and no name like 127.example
  return is_number && host.starts_with("127.");
}

std::optional<std::string> open_http(const ClusterConfig& config) {
  if (!config.router.keys.empty()) return std::nullopt;
  return problem_of(config, "listen", config.router.listen,
                    "key. Write router.keys: FILE, with a file that `ferry keys add FILE NAME` makes");
}

std::optional<std::string> open_control(const ClusterConfig& config) {
  if (!config.router.join_token.empty() || config.router.control_tls.given()) return std::nullopt;
  return problem_of(config, "control", config.router.control,
                    "token to join as a group. Write router.join_token: FILE, and make the file with: (umask 077; "
                    "openssl rand -hex 32 > FILE)");
}

}  // namespace ferry
