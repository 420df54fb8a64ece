#include "core/handoff/checksum.h"

#include <algorithm>

#include "core/base/hash.h"

namespace ferry {

std::vector<SummedPage> summed_pages(wire::Verify verify, const KvPart& part, int page_tokens) {
  std::vector<SummedPage> pages;
  for (int begin = part.tokens.begin; begin < part.tokens.end;) {
    const int index = begin / page_tokens;
    const int end = std::min(part.tokens.end, (index + 1) * page_tokens);
    if (verify == wire::Verify::all || (verify == wire::Verify::sampled && (index + part.layer) % kSampledOneIn == 0))
      pages.push_back({.index = index, .part = {.layer = part.layer, .heads = part.heads, .tokens = {begin, end}}});
    begin = end;
  }
  return pages;
}

uint64_t sum_of_page(const KvLayout& layout, const std::byte* heads, const KvPart& part) {
  uint64_t sum = 0;
  for (int head = part.heads.begin; head < part.heads.end; ++head, heads += layout.head_bytes()) {
    for (int token = part.tokens.begin; token < part.tokens.end; ++token) {
      const std::byte* key = heads + (token % layout.page_tokens()) * layout.token_bytes();
      const uint64_t place = (uint64_t(token) << 32) | (uint64_t(part.layer) << 16) | uint64_t(head) << 1;
      const auto hash = [&](const std::byte* at, uint64_t seed) {
        return hash_of({reinterpret_cast<const char*>(at), layout.token_bytes()}, seed);
      };
      sum += hash(key, place) + hash(key + layout.v_bytes(), place + 1);
    }
  }
  return sum;
}

uint64_t checksum(wire::Verify verify, const KvOfSequence& kv, const KvPart& part) {
  uint64_t sum = 0;
  for (const SummedPage& page : summed_pages(verify, part, kv.layout.page_tokens())) {
    const uint64_t offset = kv.layout.offset(kv.pages[page.index], part.layer, part.heads.begin);
    sum += sum_of_page(kv.layout, kv.memory.data() + offset, page.part);
  }
  return sum;
}

}  // namespace ferry
