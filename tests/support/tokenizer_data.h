#pragma once
// Small vocabularies for tests of text.

#include <string>
#include <string_view>
#include <vector>

#include "core/text/tokenizer_data.h"

namespace ferry {

// Every byte (ids 0 to 255), then what the merges ("a b", in the byte-level alphabet) make, in order.
TokenizerData byte_level_data(const std::vector<std::string>& merges = {});

// Adds a token at the end and returns its id.
int add_token(TokenizerData& data, std::string_view text, TokenKind kind);

}  // namespace ferry
