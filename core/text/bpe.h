#pragma once
// Byte-pair encoding of one word: its bytes become tokens, and neighbours merge, best merge first, leftmost first
// among equals, until none can.

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/text/merge_table.h"
#include "core/text/vocabulary.h"

namespace ferry {

class BytePairEncoder {
 public:
  BytePairEncoder(const Vocabulary& vocabulary, const std::vector<std::string>& merges);

  // Memory that a caller keeps from word to word.
  struct Scratch;

  // Appends the tokens of `word` to `ids`. A byte without a token is left out as if it were not there: so do the
  // reference tokenizers. Time n log n: a word may be megabytes long.
  void encode(std::string_view word, Scratch& scratch, std::vector<int>& ids) const;

 private:
  void merge(Scratch& scratch) const;
  bool propose(Scratch& scratch, int left) const;  // appends a proposal, if the symbol merges with its right neighbour

  static constexpr int kNoToken = -1;
  std::array<int, 256> token_of_byte_;
  MergeTable merges_;
};

struct BytePairEncoder::Scratch {
  // A token of the word, in a list: its neighbours by index. Merged into its left neighbour: kNoToken.
  struct Symbol {
    int token = kNoToken;
    int previous = -1;
    int next = -1;
  };
  std::vector<Symbol> symbols;
  std::vector<uint64_t> proposals;  // least first: rank of the merge, then index of its left symbol
};

}  // namespace ferry
