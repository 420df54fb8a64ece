#include "transport/staged/staged_frame.h"

#include "core/base/codec.h"
#include "transport/sealed.h"

namespace ferry {

namespace {
constexpr std::string_view kKind = "staged frame";
}

std::string packed(const StagedFrame& frame) { return sealed(kKind, pack(frame)); }

std::optional<StagedFrame> staged_frame_of(std::string_view bytes) {
  if (bytes.size() > kMaxFrame) return std::nullopt;
  const auto body = unsealed(kKind, bytes);
  return body ? unpack<StagedFrame>(*body) : std::nullopt;
}

}  // namespace ferry
