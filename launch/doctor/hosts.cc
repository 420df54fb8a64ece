// The hosts that groups run on: whether they are known, and whether those who have to talk can.

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <set>

#include "launch/config/exposure.h"
#include "launch/doctor/cluster.h"

namespace ferry {
namespace {

using Level = Finding::Level;

// "node1:2" → "node1".
std::string name_in(const std::string& host) { return host.substr(0, host.find(':')); }

bool is_here(const std::string& name, const std::string& this_host) { return is_loopback(name) || name == this_host; }

std::set<std::string> other_hosts(const GroupConfig& group, const std::string& this_host) {
  std::set<std::string> names;
  for (const std::string& host : group.hosts) {
    if (const std::string name = name_in(host); !is_here(name, this_host)) names.insert(name);
  }
  return names;
}

Finding host_finding(const std::string& name) {
  Finding f{.what = "host " + name, .found = "known"};
  addrinfo* list = nullptr;
  const int unknown = getaddrinfo(name.c_str(), nullptr, nullptr, &list);
  if (unknown == 0) {
    freeaddrinfo(list);
    return f;
  }
  f.level = Level::problem;
  f.found = gai_strerror(unknown);
  f.cost = "no rank can be started there";
  f.advice = fmt::format("getent hosts {}; then a line in /etc/hosts, or another name in groups", name);
  return f;
}

std::optional<Finding> control_reach(const ClusterConfig& config, const std::string& this_host) {
  const HostPort& control = config.router.control;
  Finding f{.level = Level::problem, .what = "router.control", .found = control.text()};
  f.advice = config.source.place("router.control") + ": ";
  if (control.port == 0) {
    f.cost = "groups could not know the port, and `ferry up` refuses to start";
    f.advice += "a port";
    return f;
  }
  if (!is_loopback(control.host)) return std::nullopt;
  for (const GroupConfig& group : config.groups) {
    const std::set<std::string> others = other_hosts(group, this_host);
    if (others.empty()) continue;
    f.cost = fmt::format("group {} on {} could not reach the router", group.name, fmt::join(others, ", "));
    f.advice += "an address of the router's host that they reach";
    return f;
  }
  return std::nullopt;
}

std::optional<Finding> link_reach(const ClusterConfig& config, const std::string& this_host) {
  using Transport = LinkConfig::Transport;
  Finding f{.level = Level::problem,
            .what = "link.transport",
            .found = std::string(config_name(config.link.transport)),
            .advice = config.source.place("link.transport") + ": auto"};
  if (config.link.transport == Transport::cuda && config.compute != ClusterConfig::Compute::cuda) {
    f.cost = "it puts KV from card to card, and compute has it in the memory of processes";
    return f;
  }
  std::set<std::string> hosts;
  for (const GroupConfig& group : config.groups) {
    for (const std::string& host : group.hosts)
      hosts.insert(is_here(name_in(host), this_host) ? this_host : name_in(host));
  }
  if (config.link.transport != Transport::shm || hosts.size() < 2) return std::nullopt;
  f.cost = fmt::format("groups on {} have no memory in common", fmt::join(hosts, ", "));
  return f;
}

}  // namespace

std::vector<Finding> host_findings(const ClusterConfig& config, const std::string& this_host) {
  std::set<std::string> names;
  for (const GroupConfig& group : config.groups) names.merge(other_hosts(group, this_host));
  std::vector<Finding> findings;
  findings.reserve(names.size());
  for (const std::string& name : names) findings.push_back(host_finding(name));
  return findings;
}

std::vector<Finding> reach_findings(const ClusterConfig& config, const std::string& this_host) {
  std::vector<Finding> findings;
  for (auto& finding : {control_reach(config, this_host), link_reach(config, this_host)}) {
    if (finding) findings.push_back(*finding);
  }
  return findings;
}

}  // namespace ferry
