#pragma once
// What two neighbouring tokens become, and how soon: the merges of byte-level BPE, keyed by the pair of ids.

#include <string>
#include <vector>

#include "core/text/vocabulary.h"

namespace ferry {

struct Merge {
  int left = 0;
  int right = 0;
  int rank = 0;  // lower ranks merge first
  int merged = 0;
};

class MergeTable {
 public:
  // `merges` as in the model file: "left right", best first. One that the vocabulary cannot carry out is an Error.
  MergeTable(const Vocabulary& vocabulary, const std::vector<std::string>& merges);

  // Null: the two do not merge.
  const Merge* find(int left, int right) const;

 private:
  size_t slot_of(int left, int right) const;  // where the pair is, or would be

  // Open addressing, at most half full: a lookup is one cache line, and most lookups find nothing.
  std::vector<Merge> slots_;
};

}  // namespace ferry
