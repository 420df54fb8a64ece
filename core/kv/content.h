#pragma once
// Names for what KV pages hold: a chain of hashes over page-sized blocks of tokens. Equal ids mean equal tokens from
// the beginning of the sequence on, computed by the same model into the same type of KV.

#include <cstdint>
#include <span>
#include <vector>

namespace ferry {

using ContentId = uint64_t;

// The id of `tokens` that follow what `before` names. Chains start with an id of the model and its KV type.
ContentId content_after(ContentId before, std::span<const int> tokens);

// The ids of the whole blocks of `tokens`: [tokens.size() / block_tokens].
std::vector<ContentId> block_contents(ContentId start, std::span<const int> tokens, int block_tokens);

// The id of all of `tokens`, the last block whole or not.
ContentId content_of(ContentId start, std::span<const int> tokens, int block_tokens);

}  // namespace ferry
