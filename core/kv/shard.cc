#include "core/kv/shard.h"

#include "core/base/error.h"

namespace ferry {

namespace {

void refuse_unless_all_have_work(const TpShape& shape, int tp) {
  const int n_ffn_units = (shape.ffn_width + shape.ffn_unit - 1) / shape.ffn_unit;
  if (tp < 1) throw Error(str("tp ", tp, ": a group has at least one rank"));
  if (tp > shape.n_heads)
    throw Error(str("tp ", tp, " is more than the model's ", shape.n_heads, " query heads; use at most that"));
  if (tp > n_ffn_units) {
    throw Error(str("tp ", tp, " is more than the ", n_ffn_units, " blocks of ", shape.ffn_unit,
                    " columns in the model's FFN; use at most that"));
  }
  if (tp > shape.n_vocab) throw Error(str("tp ", tp, " is more than the model's ", shape.n_vocab, " tokens"));
}

void cut_heads(const TpShape& shape, int tp, std::vector<TpSlice>& slices) {
  const int group = shape.n_heads / shape.n_kv_heads;  // query heads that read one KV head
  if (tp <= shape.n_kv_heads) {
    for (int rank = 0; rank < tp; ++rank) {
      const Range kv = even_part(shape.n_kv_heads, tp, rank);
      slices[rank].kv_heads = kv;
      slices[rank].q_heads = {kv.begin * group, kv.end * group};
    }
    return;
  }
  for (int head = 0; head < shape.n_kv_heads; ++head) {
    const Range ranks = even_part(tp, shape.n_kv_heads, head);
    for (int rank = ranks.begin; rank < ranks.end; ++rank) {
      const Range q = even_part(group, ranks.size(), rank - ranks.begin);
      slices[rank].kv_heads = {head, head + 1};
      slices[rank].q_heads = {head * group + q.begin, head * group + q.end};
    }
  }
}

}  // namespace

std::vector<TpSlice> tp_slices(const TpShape& shape, int tp) {
  refuse_unless_all_have_work(shape, tp);
  std::vector<TpSlice> slices(tp);
  cut_heads(shape, tp, slices);
  const int n_units = (shape.ffn_width + shape.ffn_unit - 1) / shape.ffn_unit;
  for (int rank = 0; rank < tp; ++rank) {
    const Range units = even_part(n_units, tp, rank);
    slices[rank].ffn = {units.begin * shape.ffn_unit, std::min(units.end * shape.ffn_unit, shape.ffn_width)};
    slices[rank].vocab = even_part(shape.n_vocab, tp, rank);
  }
  return slices;
}

std::vector<Shard> shards_of(const std::vector<TpSlice>& slices, int n_layers) {
  std::vector<Shard> shards;
  shards.reserve(slices.size());
  for (const TpSlice& slice : slices) shards.push_back({.layers = {0, n_layers}, .heads = slice.kv_heads});
  return shards;
}

}  // namespace ferry
