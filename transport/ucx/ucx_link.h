#pragma once
// KvLink over UCX: shared memory, TCP and RDMA, whatever connects two ranks. Needs UCX 1.13 or newer.
//
// A peer that dies is noticed on every transport (see ucx_settings.cc). Puts over TCP are carried out by the target's
// poll(), those over shared memory and RDMA need nothing from it. To connect takes polls on both sides; over RDMA, UCX
// 1.13 aborts this process when the other side has gone from another host before it answers (1.14 does not).
//
// After close(), Closed comes within a second whatever the peers do, and Fenced
//   with it     when no peer shares memory with us: sockets and queue pairs are closed then;
//   otherwise   when each that does has answered that it writes no more, or its process has ended. A peer that lives
//               answers at its next poll; one that is stopped delays Fenced until it goes on or is killed. Where its
//               process cannot be seen (another container that shares our memory), only its answer counts.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/seam/kv_link.h"

namespace ferry {

struct UcxOptions {
  enum class Transport : uint8_t { automatic, shm, tcp, rdma, cuda, kLast = cuda };
  struct Setting {  // named as in `ucx_info -c`, without "UCX_"
    std::string name = {};
    std::string value = {};
    bool operator==(const Setting&) const = default;
  };

  Transport transport = Transport::automatic;
  std::vector<std::string> devices = {};  // network devices as UCX names them: "eth0", "mlx5_0:1"; none: all
  std::vector<Setting> extra = {};        // win over what the transport implies
  size_t memory_bytes = 0;
  // The KV memory is this, of a CUDA card, instead of memory that UCX allocates: put, and written, without a copy on
  // the way. Only where UCX knows such memory (ucx_info.h); it outlives the link.
  std::span<std::byte> card_memory = {};
};

std::unique_ptr<KvLink> make_ucx_link(const UcxOptions& options);  // Error when UCX or the machine cannot

// UCX_* environment variables that say otherwise than we do, a sentence each. What we set wins.
std::vector<std::string> conflicting_ucx_environment(const UcxOptions& options);

}  // namespace ferry
