// Bytes from other processes: whatever they are, they are a message or they are refused, and a message is the same
// after another trip. The first byte chooses what they claim to be.

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/check.h"
#include "core/base/codec.h"
#include "core/engine/step.h"
#include "core/wire/messages.h"

namespace ferry {
namespace {

template <class T>
void check_round_trip(std::string_view bytes) {
  const auto message = unpack<T>(bytes);
  if (message) check(pack(*message) == bytes, "a message that was accepted is packed as it came");
}

}  // namespace
}  // namespace ferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      ferry::check_round_trip<ferry::wire::ToLeader>(bytes);
      break;
    case 1:
      ferry::check_round_trip<ferry::wire::ToRouter>(bytes);
      break;
    case 2:
      ferry::check_round_trip<ferry::wire::LinkMessage>(bytes);
      break;
    case 3:
      ferry::check_round_trip<ferry::Step>(bytes);
      break;
    case 4:
      ferry::check_round_trip<ferry::StepReceipt>(bytes);
      break;
  }
  return 0;
}
