#include "core/wire/messages.h"

#include "core/base/hash.h"

namespace ferry {

uint64_t content_id(const std::vector<int>& tokens, uint64_t model_hash) {
  return hash_of({reinterpret_cast<const char*>(tokens.data()), tokens.size() * sizeof(int)}, model_hash);
}

}  // namespace ferry
