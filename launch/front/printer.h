#pragma once
// Results on stdout: JSON lines, or for people.

#include "launch/front/front.h"

namespace ferry {

enum class OutputForm : uint8_t { json, text };

// Each result as it is due. For a single prompt of a person, the text as it comes.
Front::Sinks printing_sinks(OutputForm form);
Front::Sinks streaming_sinks();

}  // namespace ferry
