#include "transport/staged/staged_address.h"

#include "core/base/codec.h"
#include "core/base/error.h"
#include "transport/sealed.h"

namespace ferry {

namespace {
constexpr std::string_view kKind = "staged link";
}

std::string packed(const StagedAddress& address) { return sealed(kKind, pack(address)); }

StagedAddress staged_address_of(const std::string& bytes) {
  const auto body = unsealed(kKind, bytes);
  auto address = body ? unpack<StagedAddress>(*body) : std::nullopt;
  if (!address) throw Error(str("these ", bytes.size(), " bytes are not the address of a link"));
  return *std::move(address);
}

}  // namespace ferry
