#include "core/text/merge_table.h"

#include <bit>
#include <cstdint>
#include <optional>

#include "core/base/error.h"
#include "core/text/byte_alphabet.h"

namespace ferry {
namespace {

constexpr int kEmpty = -1;

std::optional<int> token_spelled(const Vocabulary& vocabulary, std::string_view text) {
  const std::optional<std::string> bytes = bytes_spelled(text);
  return bytes ? vocabulary.word(*bytes) : std::nullopt;
}

std::optional<Merge> merge_of(const Vocabulary& vocabulary, std::string_view text, int rank) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const std::string left(text.substr(0, space));
  const std::string right(text.substr(space + 1));
  const std::optional<int> left_token = token_spelled(vocabulary, left);
  const std::optional<int> right_token = token_spelled(vocabulary, right);
  const std::optional<int> merged = token_spelled(vocabulary, left + right);
  if (!left_token || !right_token || !merged) return std::nullopt;
  return Merge{.left = *left_token, .right = *right_token, .rank = rank, .merged = *merged};
}

}  // namespace

MergeTable::MergeTable(const Vocabulary& vocabulary, const std::vector<std::string>& merges)
    : slots_(std::bit_ceil(2 * merges.size() + 1), Merge{.left = kEmpty}) {
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const auto refuse = [&](const std::string& why) {
      throw Error(str("the model file's merges are damaged: merge ", rank, ", \"", merges[rank], "\", ", why));
    };
    const std::optional<Merge> merge = merge_of(vocabulary, merges[rank], static_cast<int>(rank));
    if (!merge) {
      refuse("is not two tokens of the vocabulary that make a third");
      return;
    }
    Merge& slot = slots_[slot_of(merge->left, merge->right)];
    if (slot.left != kEmpty) refuse(str("repeats merge ", slot.rank));
    slot = *merge;
  }
}

const Merge* MergeTable::find(int left, int right) const {
  const Merge& slot = slots_[slot_of(left, right)];
  return slot.left == kEmpty ? nullptr : &slot;
}

size_t MergeTable::slot_of(int left, int right) const {
  const size_t mask = slots_.size() - 1;
  const uint64_t pair = static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right);
  // Multiplied by 2^64 / golden ratio, the high bits depend on all of the pair.
  size_t slot = (pair * 0x9e3779b97f4a7c15u >> 32) & mask;
  while (slots_[slot].left != kEmpty && (slots_[slot].left != left || slots_[slot].right != right)) {
    slot = (slot + 1) & mask;
  }
  return slot;
}

}  // namespace ferry
