// Tries the router's ports by listening on them for a moment.

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "launch/doctor/cluster.h"

namespace ferry {
namespace {

using Level = Finding::Level;
using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

// errno of an attempt to listen at an address; 0: it can be done.
int listen_error(const addrinfo& address) {
  const int socket_fd = socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_fd < 0) return errno;
  const int yes = 1;  // a connection that ended a moment ago keeps no one from listening
  setsockopt(socket_fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const bool works = bind(socket_fd, address.ai_addr, address.ai_addrlen) == 0 && listen(socket_fd, 1) == 0;
  const int why = works ? 0 : errno;
  close(socket_fd);
  return why;
}

Finding port_finding(const ClusterConfig& config, const std::string& key, const HostPort& at) {
  Finding f{.what = key, .found = at.text() + ", free"};
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int unknown = getaddrinfo(at.host.c_str(), std::to_string(at.port).c_str(), &hints, &list);
  const Addresses addresses(list, freeaddrinfo);
  if (unknown != 0) {
    f.level = Level::problem;
    f.found = fmt::format("{}: {}", at.text(), gai_strerror(unknown));
    f.advice = fmt::format("{}: an address of the router's host", config.source.place(key));
    return f;
  }
  const int why = listen_error(*addresses);
  if (why == 0) return f;
  const bool is_elsewhere = why == EADDRNOTAVAIL;
  f.level = is_elsewhere ? Level::warning : Level::problem;
  f.found = fmt::format("{}: {}", at.text(), is_elsewhere ? "not an address of this machine" : std::strerror(why));
  f.cost = "a router on this machine could not listen there";
  f.advice = fmt::format("{}: another port, or stop who listens: ss -ltnp", config.source.place(key));
  return f;
}

}  // namespace

std::vector<Finding> port_findings(const ClusterConfig& config) {
  return {port_finding(config, "router.listen", config.router.listen),
          port_finding(config, "router.control", config.router.control)};
}

}  // namespace ferry
