#pragma once
// How a model is cut for a tensor-parallel group, and the rectangle of the KV cache that a rank owns.

#include <algorithm>
#include <vector>

namespace ferry {

struct Range {  // [begin, end)
  int begin = 0;
  int end = 0;
  int size() const { return end - begin; }
  bool empty() const { return end <= begin; }
  bool contains(int i) const { return begin <= i && i < end; }
  bool operator==(const Range&) const = default;
  template <class A>
  void fields(A& a) {
    a(begin, end);
  }
};

inline Range intersection(Range a, Range b) {
  const int begin = std::max(a.begin, b.begin);
  return {begin, std::max(begin, std::min(a.end, b.end))};
}

// Part `part` of n things over n_parts: as even as can be, the first parts get one more.
inline Range even_part(int n, int n_parts, int part) {
  const int each = n / n_parts, more = n % n_parts;
  const int begin = part * each + std::min(part, more);
  return {begin, begin + each + (part < more ? 1 : 0)};
}

// The KV cache of a model is a grid of layers × KV heads; a rank owns a rectangle of it.
struct Shard {
  Range layers;
  Range heads;  // KV heads
  bool operator==(const Shard&) const = default;
  template <class A>
  void fields(A& a) {
    a(layers, heads);
  }
};

// What one rank of a TP group computes. Query heads follow their KV head. With more ranks than KV heads, ranks share a
// KV head (each holds a copy of its cache) and divide the query heads that read it.
struct TpSlice {
  Range q_heads;
  Range kv_heads;
  Range ffn;    // columns of the FFN, in units of values
  Range vocab;  // rows of the embedding and of the output matrix
};

struct TpShape {  // the sizes that are cut
  int n_heads = 0;
  int n_kv_heads = 0;
  int ffn_width = 0;
  int ffn_unit = 1;  // the FFN is cut at multiples of this: quantized blocks stay whole
  int n_vocab = 0;
};

// One slice a rank. Error when `tp` is larger than some part can use, naming it.
std::vector<TpSlice> tp_slices(const TpShape& shape, int tp);

// The rectangles of a TP group that holds all layers.
std::vector<Shard> shards_of(const std::vector<TpSlice>& slices, int n_layers);

}  // namespace ferry
