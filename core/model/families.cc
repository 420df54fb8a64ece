#include "core/model/families.h"

#include <algorithm>
#include <array>

namespace ferry {
namespace {

constexpr std::array kFamilies = {
    // Mistral's files say llama too. Their q and k are stored so that RoPE turns neighbours.
    Family{.name = "llama", .rope_pairs = RopePairs::interleaved, .biases = Presence::optional},
    Family{.name = "qwen2", .biases = Presence::required},
    Family{.name = "qwen3", .head_norms = Presence::required},
    // The first gemma; its norms' weights are stored with the one already added.
    Family{.name = "gemma",
           .activation = Activation::gelu_tanh,
           .embedding_scale = EmbeddingScale::root_of_width,
           .output = Presence::absent},
};

}  // namespace

std::span<const Family> families() { return kFamilies; }

const Family* find_family(std::string_view name) {
  const auto* found = std::ranges::find(kFamilies, name, &Family::name);
  return found == kFamilies.end() ? nullptr : found;
}

}  // namespace ferry
