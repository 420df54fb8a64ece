#pragma once
// The model families that Ferry runs, one row each. A new one is a new row, unless it computes something that no field
// of ModelConfig can say.

#include <span>
#include <string_view>

#include "core/seam/ops.h"

namespace ferry {

enum class Presence : uint8_t { absent, optional, required };
enum class EmbeddingScale : uint8_t { one, root_of_width };

struct Family {
  std::string_view name;  // general.architecture
  RopePairs rope_pairs = RopePairs::halves;
  Activation activation = Activation::silu;
  EmbeddingScale embedding_scale = EmbeddingScale::one;
  Presence biases = Presence::absent;      // of q, k and v
  Presence head_norms = Presence::absent;  // of each head of q and k
  Presence post_norms = Presence::absent;  // after attention and after the feed-forward part
  Presence output = Presence::optional;    // a matrix of its own; otherwise the embedding
};

std::span<const Family> families();
const Family* find_family(std::string_view name);  // nullptr: Ferry does not know it

}  // namespace ferry
