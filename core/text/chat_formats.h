#pragma once
// The chat formats that Ferry knows, and what it takes from a model file's template for each.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/chat_style.h"
#include "core/text/tokenizer_data.h"

namespace ferry {

// "chatml, llama3, …": for messages.
std::string chat_format_names();

// The name of the format that a template writes; none: it is not recognised.
std::optional<std::string_view> recognised_chat_format(std::string_view chat_template);

// How the format of this name writes for this model. Details come from the file's template if that is of this format.
// None: there is no such format.
std::optional<ChatStyle> chat_style_of(std::string_view name, const TokenizerData& data);

}  // namespace ferry
