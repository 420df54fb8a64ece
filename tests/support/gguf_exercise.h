#pragma once
// Everything that Ferry does with a model file before it computes with it, for files that may be damaged.

#include "core/model/gguf.h"

namespace ferry {

// Reads every byte of every tensor and fills in all that a file yields. Ends in an Error where the file is one that
// Ferry refuses; anything else is a bug.
void exercise(const GgufFile& file);

}  // namespace ferry
