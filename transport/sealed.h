#pragma once
// Bytes that say what they are: a kind, a version and a checksum around a body. What comes from another process by way
// of others is opened before a library that trusts its input sees it.

#include <optional>
#include <string>
#include <string_view>

namespace ferry {

std::string sealed(std::string_view kind, std::string_view body);

// nullopt: other kind or version, cut short, or changed on the way. The result points into `bytes`.
std::optional<std::string_view> unsealed(std::string_view kind, std::string_view bytes);

}  // namespace ferry
