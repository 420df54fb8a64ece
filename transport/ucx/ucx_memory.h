#pragma once
// A rank's KV memory, registered with every device: allocated by UCX, so that processes of the same host can map it; or
// a CUDA card's.

#include <ucp/api/ucp.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <type_traits>

namespace ferry {

class UcxMemory {
 public:
  // The context outlives it.
  UcxMemory(ucp_context_h context, size_t bytes);
  UcxMemory(ucp_context_h context, std::span<std::byte> of_card);

  std::span<std::byte> span() const { return span_; }
  ucs_memory_type_t type() const { return type_; }
  ucp_mem_h handle() const { return handle_.get(); }
  std::string packed_key() const;  // lets a peer write

 private:
  struct Unmap {
    ucp_context_h context = nullptr;
    void operator()(ucp_mem_h memory) const { ucp_mem_unmap(context, memory); }
  };

  std::unique_ptr<std::remove_pointer_t<ucp_mem_h>, Unmap> handle_;
  std::span<std::byte> span_;
  ucs_memory_type_t type_ = UCS_MEMORY_TYPE_HOST;
};

}  // namespace ferry
