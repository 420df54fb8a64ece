#pragma once
// KvLinks within one process, for tests and simulation: ranks are threads, or one thread polls them in turn.
//
// As weak as the seam allows: bytes move when the sender polls, and a message overtakes puts that were not flushed.
// Code that forgets to poll or to flush fails here first. What happens depends on the order of calls only.

#include <cstddef>
#include <memory>
#include <string>

#include "core/seam/kv_link.h"

namespace ferry {

class MemoryFabric {
 public:
  MemoryFabric();
  ~MemoryFabric();

  // The fabric outlives the link. May be called from any thread.
  std::unique_ptr<KvLink> make_link(size_t memory_bytes);
  // Over memory that outlives it, perhaps of a device that copies within this process do not reach: then nothing can be
  // put there.
  std::unique_ptr<KvLink> make_link(std::span<std::byte> memory);

  // Links are named by the address of any of their channels.
  // As if that rank's process had died: nothing gets in or out any more, and every peer finds it broken.
  void kill(const std::string& address);
  // As if the path between two ranks had failed: each finds the other broken.
  void cut(const std::string& one, const std::string& other);

  struct Members;  // what the links share

 private:
  std::unique_ptr<Members> members_;
};

}  // namespace ferry
