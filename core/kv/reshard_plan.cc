#include "core/kv/reshard_plan.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "core/base/check.h"
#include "core/base/error.h"

namespace ferry {

namespace {

// A column of the destination's rectangle that can come from the same source ranks: one head, and a run of layers
// between two places where some source rectangle begins or ends.
std::vector<Range> layer_runs(std::span<const Shard> source, Range layers) {
  std::vector<int> cuts = {layers.begin, layers.end};
  for (const Shard& shard : source) {
    for (int cut : {shard.layers.begin, shard.layers.end}) {
      if (layers.contains(cut)) cuts.push_back(cut);
    }
  }
  std::sort(cuts.begin(), cuts.end());
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  std::vector<Range> runs;
  for (size_t i = 0; i + 1 < cuts.size(); ++i) runs.push_back({cuts[i], cuts[i + 1]});
  return runs;
}

int least_loaded_holder(std::span<const Shard> source, const std::vector<int>& load, int layer, int head) {
  int best = -1;
  for (int rank = 0; rank < static_cast<int>(source.size()); ++rank) {
    if (!source[rank].layers.contains(layer) || !source[rank].heads.contains(head)) continue;
    if (best < 0 || load[rank] < load[best]) best = rank;
  }
  if (best < 0) throw Error(str("no rank of the source group holds KV head ", head, " of layer ", layer));
  return best;
}

// Joins transfers of one pair of ranks that cover the same layers of neighbouring heads, so that they become one run.
std::vector<Transfer> joined(std::vector<Transfer> cells) {
  const auto key = [](const Transfer& t) {
    return std::tuple(t.source, t.destination, t.part.layers.begin, t.part.heads.begin);
  };
  std::sort(cells.begin(), cells.end(), [&](const Transfer& a, const Transfer& b) { return key(a) < key(b); });
  std::vector<Transfer> result;
  for (const Transfer& cell : cells) {
    if (!result.empty()) {
      Transfer& last = result.back();
      if (last.source == cell.source && last.destination == cell.destination && last.part.layers == cell.part.layers &&
          last.part.heads.end == cell.part.heads.begin) {
        last.part.heads.end = cell.part.heads.end;
        continue;
      }
    }
    result.push_back(cell);
  }
  return result;
}

}  // namespace

ReshardPlan::ReshardPlan(std::span<const Shard> source, std::span<const Shard> destination)
    : n_sources_(static_cast<int>(source.size())) {
  std::vector<int> load(source.size(), 0);
  std::vector<Transfer> cells;
  for (int rank = 0; rank < static_cast<int>(destination.size()); ++rank) {
    for (const Range run : layer_runs(source, destination[rank].layers)) {
      for (int head = destination[rank].heads.begin; head < destination[rank].heads.end; ++head) {
        const int sender = least_loaded_holder(source, load, run.begin, head);
        load[sender] += run.size();
        cells.push_back({.source = sender, .destination = rank, .part = {.layers = run, .heads = {head, head + 1}}});
      }
    }
  }
  transfers_ = joined(std::move(cells));
}

std::vector<Transfer> ReshardPlan::from(int source) const {
  std::vector<Transfer> result;
  std::copy_if(transfers_.begin(), transfers_.end(), std::back_inserter(result),
               [source](const Transfer& t) { return t.source == source; });
  return result;
}

int ReshardPlan::cells_sent_by(int source) const {
  return std::accumulate(transfers_.begin(), transfers_.end(), 0, [source](int sum, const Transfer& t) {
    return sum + (t.source == source ? t.part.layers.size() * t.part.heads.size() : 0);
  });
}

int ReshardPlan::longest_sender() const {
  int longest = 0;
  for (int rank = 1; rank < n_sources_; ++rank) {
    if (cells_sent_by(rank) > cells_sent_by(longest)) longest = rank;
  }
  return longest;
}

std::vector<Piece> pieces_of(const Transfer& transfer, const PagedSequence& from, const PagedSequence& to, int layer,
                             Range tokens) {
  const KvLayout &source = from.layout, &destination = to.layout;
  check(source.page_tokens() == destination.page_tokens() && source.token_bytes() == destination.token_bytes(),
        "both groups have pages of one kind");
  const int page_tokens = source.page_tokens();
  const Range heads = transfer.part.heads;
  std::vector<Piece> pieces;
  for (int begin = tokens.begin; begin < tokens.end;) {
    const int index = begin / page_tokens, first = begin % page_tokens;
    const int n = std::min(page_tokens - first, tokens.end - begin);
    const int from_page = from.pages[index], to_page = to.pages[index];
    if (n == page_tokens) {
      pieces.push_back({.from = source.offset(from_page, layer, heads.begin),
                        .to = destination.offset(to_page, layer, heads.begin),
                        .bytes = heads.size() * source.head_bytes()});
    } else {
      for (int head = heads.begin; head < heads.end; ++head) {
        const uint64_t skip = first * source.token_bytes();
        const Piece keys = {.from = source.offset(from_page, layer, head) + skip,
                            .to = destination.offset(to_page, layer, head) + skip,
                            .bytes = n * source.token_bytes()};
        pieces.push_back(keys);
        pieces.push_back({keys.from + source.v_bytes(), keys.to + destination.v_bytes(), keys.bytes});
      }
    }
    begin += n;
  }
  return pieces;
}

}  // namespace ferry
