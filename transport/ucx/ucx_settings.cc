#include "transport/ucx/ucx_settings.h"

#include <cstdlib>

#include "core/base/error.h"
#include "transport/ucx/network_devices.h"

namespace ferry {

namespace {

using Setting = UcxOptions::Setting;
using Transport = UcxOptions::Transport;

std::string joined_by_comma(const std::vector<std::string>& items) {
  std::string result;
  for (const std::string& item : items) result += (result.empty() ? "" : ",") + item;
  return result;
}

std::string transports_of(Transport transport, bool of_card) {
  switch (transport) {
    case Transport::automatic:
    case Transport::cuda:
      return "all";
    case Transport::shm:
      return "self,sysv,posix,cma";
    case Transport::tcp:
      return "self,tcp";
    case Transport::rdma:
      return of_card ? "self,rc,cuda" : "self,rc";  // stands for every RC transport and the UD that its wire-up needs
  }
  return "all";
}

bool may_use(Transport chosen, Transport transport) {
  return chosen == Transport::automatic || chosen == Transport::cuda || chosen == transport;
}

// Shared memory counts as unable to notice the death of a peer unless it is told to. Since we ask for endpoints that
// notice, UCX would quietly choose TCP between two processes of one host.
void add_shm(std::vector<Setting>& settings) { settings.push_back({"MM_ERROR_HANDLING", "y"}); }

// Whether peers that are silent still live, TCP finds out by its own probes and UcxEndpoint of processes of this host,
// so UCX need not ask; only RDMA has nobody else. Where it need not it must not: when a peer has died in the middle of
// the introductions, an endpoint that UCX was about to make for it has no lane for a moment, and a round of keepalive
// in that moment ends the process (seen with 1.13, and unchanged in 1.18). Without keepalive UCX does not wait until
// both ends know each other, unless it is told to.
void add_keepalive(std::vector<Setting>& settings, bool of_rdma) {
  settings.push_back({"KEEPALIVE_INTERVAL", of_rdma ? "500ms" : "inf"});
  settings.push_back({"RESOLVE_REMOTE_EP_ID", "y"});
}

// A host that is cut off sends no reset: probes find out. Large segments more than double the throughput of puts; each
// peer costs that much buffer.
void add_tcp(std::vector<Setting>& settings) {
  settings.push_back({"TCP_KEEPIDLE", "1s"});
  settings.push_back({"TCP_KEEPINTVL", "500ms"});
  settings.push_back({"TCP_KEEPCNT", "3"});
  settings.push_back({"TCP_TX_SEG_SIZE", "256k"});
  settings.push_back({"TCP_RX_SEG_SIZE", "512k"});
}

}  // namespace

std::vector<Setting> ucx_settings(const UcxOptions& options) {
  std::vector<Setting> settings{{"TLS", transports_of(options.transport, !options.card_memory.empty())}};
  add_keepalive(settings, may_use(options.transport, Transport::rdma) && !rdma_devices().empty());
  if (may_use(options.transport, Transport::shm)) add_shm(settings);
  if (may_use(options.transport, Transport::tcp)) add_tcp(settings);
  if (!options.devices.empty()) settings.push_back({"NET_DEVICES", joined_by_comma(options.devices)});
  settings.insert(settings.end(), options.extra.begin(), options.extra.end());
  return settings;
}

std::vector<std::string> conflicting_ucx_environment(const UcxOptions& options) {
  std::vector<std::string> conflicts;
  for (const auto& [name, value] : ucx_settings(options)) {
    const char* theirs = std::getenv(("UCX_" + name).c_str());
    if (!theirs || value == theirs) continue;
    conflicts.push_back(str("the environment says UCX_", name, "=", theirs, "; Ferry uses ", value));
  }
  return conflicts;
}

}  // namespace ferry
