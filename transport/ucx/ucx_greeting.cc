#include "transport/ucx/ucx_greeting.h"

#include "core/base/codec.h"
#include "transport/sealed.h"

namespace ferry {

namespace {
constexpr std::string_view kKind = "ucx greeting";
}

std::string packed(const UcxGreeting& greeting) { return sealed(kKind, pack(greeting)); }

std::optional<UcxGreeting> ucx_greeting_of(std::string_view bytes) {
  const auto body = unsealed(kKind, bytes);
  return body ? unpack<UcxGreeting>(*body) : std::nullopt;
}

}  // namespace ferry
