#include "transport/ucx/lock_limit.h"

#include <linux/capability.h>
#include <sys/resource.h>

#include <fstream>
#include <string>

#include "core/base/error.h"

namespace ferry {

namespace {

bool may_ignore_lock_limit() {
  std::ifstream status("/proc/self/status");
  for (std::string name; status >> name;) {
    if (name != "CapEff:") continue;
    uint64_t capabilities = 0;
    status >> std::hex >> capabilities;
    return capabilities >> CAP_IPC_LOCK & 1;
  }
  return false;
}

}  // namespace

std::optional<uint64_t> lock_limit_bytes() {
  rlimit limit{};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  if (limit.rlim_cur == RLIM_INFINITY || may_ignore_lock_limit()) return std::nullopt;
  return limit.rlim_cur;
}

void require_lockable(size_t bytes, std::optional<uint64_t> limit) {
  if (!limit || bytes <= *limit) return;
  throw Error(str("RDMA needs ", bytes >> 10, " KiB of KV memory locked, but this process may lock ", *limit >> 10,
                  " KiB. Raise the limit: `ulimit -l unlimited`, or memlock in /etc/security/limits.conf, or "
                  "LimitMEMLOCK=infinity in the systemd unit"));
}

}  // namespace ferry
