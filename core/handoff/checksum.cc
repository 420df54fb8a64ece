#include "core/handoff/checksum.h"

#include <algorithm>

#include "core/base/hash.h"

namespace ferry {

namespace {

// [token begin, token end) lies in one page, whose place in the sequence is `index`.
uint64_t sum_of_page(const KvOfSequence& kv, int layer, Range heads, Range tokens, int index) {
  const KvLayout& layout = kv.layout;
  uint64_t sum = 0;
  for (int head = heads.begin; head < heads.end; ++head) {
    const std::byte* keys = kv.memory.data() + layout.offset(kv.pages[index], layer, head);
    for (int token = tokens.begin; token < tokens.end; ++token) {
      const std::byte* key = keys + (token % layout.page_tokens()) * layout.token_bytes();
      const uint64_t place = (uint64_t(token) << 32) | (uint64_t(layer) << 16) | uint64_t(head) << 1;
      const auto hash = [&](const std::byte* at, uint64_t seed) {
        return hash_of({reinterpret_cast<const char*>(at), layout.token_bytes()}, seed);
      };
      sum += hash(key, place) + hash(key + layout.v_bytes(), place + 1);
    }
  }
  return sum;
}

}  // namespace

uint64_t checksum(wire::Verify verify, const KvOfSequence& kv, int layer, Range heads, Range tokens) {
  uint64_t sum = 0;
  const int page_tokens = kv.layout.page_tokens();
  for (int begin = tokens.begin; begin < tokens.end;) {
    const int index = begin / page_tokens;
    const int end = std::min(tokens.end, (index + 1) * page_tokens);
    if (verify == wire::Verify::all || (verify == wire::Verify::sampled && (index + layer) % kSampledOneIn == 0))
      sum += sum_of_page(kv, layer, heads, {begin, end}, index);
    begin = end;
  }
  return sum;
}

}  // namespace ferry
