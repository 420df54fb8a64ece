#include "core/text/bpe.h"

#include <algorithm>
#include <functional>

namespace ferry {
namespace {

constexpr int kEnd = -1;

uint64_t proposal_of(int rank, int left) { return static_cast<uint64_t>(rank) << 32 | static_cast<uint32_t>(left); }
int rank_of(uint64_t proposal) { return static_cast<int>(proposal >> 32); }
int left_of(uint64_t proposal) { return static_cast<int>(proposal & 0xffffffffu); }

}  // namespace

BytePairEncoder::BytePairEncoder(const Vocabulary& vocabulary, const std::vector<std::string>& merges)
    : merges_(vocabulary, merges) {
  for (size_t byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    token_of_byte_[byte] = vocabulary.word({&c, 1}).value_or(kNoToken);
  }
}

void BytePairEncoder::encode(std::string_view word, Scratch& scratch, std::vector<int>& ids) const {
  auto& symbols = scratch.symbols;
  symbols.clear();
  for (const char byte : word) {
    const int token = token_of_byte_[static_cast<uint8_t>(byte)];
    if (token == kNoToken) continue;
    const int index = static_cast<int>(symbols.size());
    symbols.push_back({.token = token, .previous = index - 1, .next = index + 1});
  }
  if (symbols.empty()) return;
  symbols.back().next = kEnd;
  merge(scratch);
  for (int i = 0; i != kEnd; i = symbols[static_cast<size_t>(i)].next) {
    ids.push_back(symbols[static_cast<size_t>(i)].token);
  }
}

void BytePairEncoder::merge(Scratch& scratch) const {
  auto& [symbols, proposals] = scratch;
  proposals.clear();
  for (int i = 0; i < static_cast<int>(symbols.size()); ++i) propose(scratch, i);
  std::make_heap(proposals.begin(), proposals.end(), std::greater<>());
  while (!proposals.empty()) {
    std::pop_heap(proposals.begin(), proposals.end(), std::greater<>());
    const uint64_t proposal = proposals.back();
    proposals.pop_back();

    // Earlier merges may have taken one of the two away: the proposal is then of a pair that is no more.
    auto& left = symbols[static_cast<size_t>(left_of(proposal))];
    if (left.token == kNoToken || left.next == kEnd) continue;
    auto& right = symbols[static_cast<size_t>(left.next)];
    const Merge* found = merges_.find(left.token, right.token);
    if (found == nullptr || found->rank != rank_of(proposal)) continue;

    left.token = found->merged;
    left.next = right.next;
    if (right.next != kEnd) symbols[static_cast<size_t>(right.next)].previous = left_of(proposal);
    right.token = kNoToken;
    for (const int i : {left_of(proposal), left.previous}) {
      if (propose(scratch, i)) std::push_heap(proposals.begin(), proposals.end(), std::greater<>());
    }
  }
}

bool BytePairEncoder::propose(Scratch& scratch, int left) const {
  auto& [symbols, proposals] = scratch;
  if (left == kEnd || symbols[static_cast<size_t>(left)].next == kEnd) return false;
  const auto& symbol = symbols[static_cast<size_t>(left)];
  const Merge* found = merges_.find(symbol.token, symbols[static_cast<size_t>(symbol.next)].token);
  if (found == nullptr) return false;
  proposals.push_back(proposal_of(found->rank, left));
  return true;
}

}  // namespace ferry
