#include "launch/bench/transfer_case.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "core/base/error.h"
#include "core/kv/reshard_plan.h"
#include "transport/pieces.h"

namespace ferry {

namespace {

std::vector<int> in_a_row(int n) {
  std::vector<int> numbers(n);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

std::vector<int> scattered(int n) {
  std::vector<int> numbers = in_a_row(n);
  std::shuffle(numbers.begin(), numbers.end(), std::mt19937(2));
  return numbers;
}

constexpr int kLayers = 24, kHeads = 12, kHeadDim = 64, kPageTokens = 16;

std::vector<Shard> shards(int tp) {
  std::vector<Shard> result;
  result.reserve(static_cast<size_t>(tp));
  for (int rank = 0; rank < tp; ++rank)
    result.push_back({.layers = {0, kLayers}, .heads = even_part(kHeads, tp, rank)});
  return result;
}

Transfer largest(const std::vector<Transfer>& transfers) {
  return *std::max_element(transfers.begin(), transfers.end(), [](const Transfer& a, const Transfer& b) {
    return a.part.heads.size() < b.part.heads.size();
  });
}

// Of `n_pages` pages on either side.
TransferCase kv_case(int from_tp, int to_tp, int n_pages, const std::vector<int>& destination_pages) {
  const std::vector<Shard> from = shards(from_tp), to = shards(to_tp);
  const ReshardPlan plan(from, to);
  const Transfer transfer = largest(plan.from(plan.longest_sender()));
  const auto layout = [n_pages](const Shard& shard) {
    return KvLayout(shard, kPageTokens, kHeadDim, KvDtype::f16, n_pages);
  };
  const std::vector<int> source_pages = in_a_row(n_pages);
  TransferCase result{.name = str("tp ", from_tp, " to ", to_tp)};
  for (int l = 0; l < kLayers; ++l) {
    const std::vector<Piece> pieces =
        pieces_of(transfer, {layout(from[transfer.source]), source_pages},
                  {layout(to[transfer.destination]), destination_pages}, l, {0, n_pages * kPageTokens});
    result.puts.push_back(joined(pieces));  // as the link would
  }
  return result;
}

}  // namespace

size_t TransferCase::bytes() const {
  size_t sum = 0;
  for (const auto& pieces : puts) sum += bytes_of(pieces);
  return sum;
}

size_t TransferCase::n_pieces() const {
  size_t n = 0;
  for (const auto& pieces : puts) n += pieces.size();
  return n;
}

TransferCase scattered_case(size_t piece_bytes, size_t total_bytes) {
  TransferCase result{.name = "scattered"};
  std::vector<Piece>& pieces = result.puts.emplace_back();
  uint64_t from = 0;
  for (const int place : scattered(static_cast<int>(total_bytes / piece_bytes))) {
    pieces.push_back({.from = from, .to = static_cast<uint64_t>(place) * piece_bytes, .bytes = piece_bytes});
    from += piece_bytes;
  }
  return result;
}

std::vector<TransferCase> kv_cases(size_t memory_bytes) {
  // A page of a group of one is the largest.
  const size_t largest_page = KvLayout(shards(1)[0], kPageTokens, kHeadDim, KvDtype::f16).page_bytes();
  const int n_pages = static_cast<int>(memory_bytes / largest_page);
  std::vector<TransferCase> cases;
  if (n_pages == 0) return cases;
  for (const auto& [from_tp, to_tp] : {std::pair{2, 1}, {3, 2}, {4, 4}}) {
    cases.push_back(kv_case(from_tp, to_tp, n_pages, scattered(n_pages)));
    cases.push_back(kv_case(from_tp, to_tp, n_pages, in_a_row(n_pages)));
    cases.back().name += ", fresh pages";
  }
  return cases;
}

}  // namespace ferry
