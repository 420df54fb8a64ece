#pragma once
// The vocabulary that a GGUF file holds.

#include "core/model/gguf.h"
#include "core/text/tokenizer_data.h"

namespace ferry {

// Error when the file has no vocabulary, or one whose parts contradict each other. What a file may leave out has the
// format's default: all tokens are normal, there are no merges, ids and template.
TokenizerData tokenizer_data_of(const GgufFile& file);

}  // namespace ferry
