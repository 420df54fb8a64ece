#include "transport/ucx/ucx_memory.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "core/base/error.h"
#include "transport/ucx/ucx_handles.h"

namespace ferry {

namespace {

void* address_of_memory(ucp_mem_h memory) {
  ucp_mem_attr_t attributes{};
  attributes.field_mask = UCP_MEM_ATTR_FIELD_ADDRESS;
  need_ucx(ucp_mem_query(memory, &attributes), "tell where its memory is");
  return attributes.address;
}

void need_page_aligned(const void* address) {
  const auto page_bytes = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  if (reinterpret_cast<uintptr_t>(address) % page_bytes != 0)
    throw Error("UCX found no way to map KV memory and took it from the heap; is shared memory (ipcs -l) exhausted?");
}

}  // namespace

UcxMemory::UcxMemory(ucp_context_h context, size_t bytes) : handle_(nullptr, Unmap{context}) {
  ucp_mem_map_params_t params{};
  params.field_mask = UCP_MEM_MAP_PARAM_FIELD_LENGTH | UCP_MEM_MAP_PARAM_FIELD_FLAGS;
  params.length = std::max<size_t>(bytes, 1);  // a rank without KV memory has a key all the same
  params.flags = UCP_MEM_MAP_ALLOCATE;
  ucp_mem_h memory = nullptr;
  need_ucx(ucp_mem_map(context, &params, &memory), str("allocate and register ", bytes >> 20, " MiB of KV memory"));
  handle_.reset(memory);
  void* begin = address_of_memory(memory);
  need_page_aligned(begin);
  std::memset(begin, 0, params.length);  // also makes the system find the pages now, not under the first put
  span_ = {static_cast<std::byte*>(begin), bytes};
}

UcxMemory::UcxMemory(ucp_context_h context, std::span<std::byte> of_card)
    : handle_(nullptr, Unmap{context}), span_(of_card), type_(UCS_MEMORY_TYPE_CUDA) {
  ucp_mem_map_params_t params{};
  params.field_mask =
      UCP_MEM_MAP_PARAM_FIELD_ADDRESS | UCP_MEM_MAP_PARAM_FIELD_LENGTH | UCP_MEM_MAP_PARAM_FIELD_MEMORY_TYPE;
  params.address = of_card.data();
  params.length = of_card.size();
  params.memory_type = type_;
  ucp_mem_h memory = nullptr;
  need_ucx(ucp_mem_map(context, &params, &memory),
           str("register ", of_card.size() >> 20, " MiB of a card's memory (nvidia_peermem, dma-buf?)"));
  handle_.reset(memory);
}

std::string UcxMemory::packed_key() const {
  void* key = nullptr;
  size_t bytes = 0;
  need_ucx(ucp_rkey_pack(handle_.get_deleter().context, handle_.get(), &key, &bytes), "pack the key of KV memory");
  std::string result(static_cast<const char*>(key), bytes);
  ucp_rkey_buffer_release(key);
  return result;
}

}  // namespace ferry
