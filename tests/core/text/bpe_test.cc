#include "core/text/bpe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/support/tokenizer_data.h"

namespace ferry {
namespace {

using Pair = std::pair<std::string, std::string>;

// The definition, in n² steps: merge the best pair, the leftmost of equals, until no pair merges.
std::vector<std::string> merged_by_definition(const std::string& word, const std::map<Pair, int>& ranks) {
  std::vector<std::string> parts;
  for (const char c : word) parts.emplace_back(1, c);
  while (true) {
    size_t best_at = parts.size();
    int best_rank = static_cast<int>(ranks.size());
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto found = ranks.find({parts[i], parts[i + 1]});
      if (found == ranks.end() || found->second >= best_rank) continue;
      best_at = i;
      best_rank = found->second;
    }
    if (best_at == parts.size()) return parts;
    parts[best_at] += parts[best_at + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best_at) + 1);
  }
}

std::vector<std::string> random_merges(std::mt19937_64& random, const std::string& letters) {
  std::vector<std::string> tokens;
  for (const char c : letters) tokens.emplace_back(1, c);
  std::set<Pair> seen;
  std::vector<std::string> merges;
  for (int i = 0; i < 40; ++i) {
    const Pair pair = {tokens[random() % tokens.size()], tokens[random() % tokens.size()]};
    if (!seen.insert(pair).second) continue;
    merges.push_back(pair.first + " " + pair.second);
    tokens.push_back(pair.first + pair.second);
  }
  std::shuffle(merges.begin(), merges.end(), random);
  return merges;
}

std::vector<std::string> texts_of(const std::vector<int>& ids, const TokenizerData& data) {
  std::vector<std::string> texts;
  for (const int id : ids) texts.push_back(data.tokens[static_cast<size_t>(id)]);
  return texts;
}

TEST(BytePairEncoder, MergesRandomWordsAsTheDefinitionDoes) {
  const uint64_t seed = 3;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  BytePairEncoder::Scratch scratch;
  for (int round = 0; round < 200; ++round) {
    const std::string letters = std::string("abcd").substr(0, 1 + random() % 4);
    const std::vector<std::string> merges = random_merges(random, letters);
    const TokenizerData data = byte_level_data(merges);
    const BytePairEncoder encoder(Vocabulary(data), merges);
    std::map<Pair, int> ranks;
    for (size_t i = 0; i < merges.size(); ++i) {
      const size_t space = merges[i].find(' ');
      ranks[{merges[i].substr(0, space), merges[i].substr(space + 1)}] = static_cast<int>(i);
    }
    for (int i = 0; i < 20; ++i) {
      std::string word;
      const size_t length = random() % 40;
      while (word.size() < length) word += letters[random() % letters.size()];
      std::vector<int> ids;
      encoder.encode(word, scratch, ids);
      ASSERT_EQ(texts_of(ids, data), merged_by_definition(word, ranks)) << word;
    }
  }
}

TEST(BytePairEncoder, WhereMergesOverlapTheLeftmostIsTaken) {
  const TokenizerData data = byte_level_data({"a a"});
  const BytePairEncoder encoder(Vocabulary(data), data.merges);
  BytePairEncoder::Scratch scratch;
  std::vector<int> ids;
  encoder.encode("aaaaa", scratch, ids);
  EXPECT_EQ(texts_of(ids, data), (std::vector<std::string>{"aa", "aa", "a"}));
}

TEST(BytePairEncoder, ABytesWithoutATokenIsAsIfItWereNotThere) {
  TokenizerData data = byte_level_data({"a b"});
  data.tokens[4] = "gone";  // the byte 0x04
  const BytePairEncoder encoder(Vocabulary(data), data.merges);
  BytePairEncoder::Scratch scratch;
  std::vector<int> ids;
  encoder.encode(
      "a\x04"
      "b\x04",
      scratch, ids);
  EXPECT_EQ(texts_of(ids, data), (std::vector<std::string>{"ab"}));
  encoder.encode("\x04", scratch, ids);
  EXPECT_EQ(ids.size(), 1u);
}

TEST(BytePairEncoder, AWordOfMegabytesTakesNoLongerThanItsLengthAllows) {
  // n² steps for these would take hours.
  const TokenizerData data = byte_level_data({"a a", "aa aa", "b b", "a b"});
  const BytePairEncoder encoder(Vocabulary(data), data.merges);
  BytePairEncoder::Scratch scratch;
  std::vector<int> ids;
  encoder.encode(std::string(1 << 21, 'a'), scratch, ids);
  EXPECT_EQ(ids.size(), size_t{1 << 19});
}

}  // namespace
}  // namespace ferry
