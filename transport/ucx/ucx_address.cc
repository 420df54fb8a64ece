#include "transport/ucx/ucx_address.h"

#include "core/base/codec.h"
#include "core/base/error.h"
#include "core/base/hash.h"
#include "transport/sealed.h"

namespace ferry {

namespace {
constexpr std::string_view kKind = "ucx link";
}

std::string packed(const UcxAddress& address) { return sealed(kKind, pack(address)); }

uint64_t tag_of(const UcxAddress& address) { return hash_of(address.worker); }

UcxAddress ucx_address_of(const std::string& bytes) {
  const auto body = unsealed(kKind, bytes);
  auto address = body ? unpack<UcxAddress>(*body) : std::nullopt;
  if (!address) throw Error(str("these ", bytes.size(), " bytes are not the address of a UCX link"));
  return *std::move(address);
}

}  // namespace ferry
