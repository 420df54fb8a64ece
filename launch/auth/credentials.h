#pragma once
// The key within a request's header: "Authorization: Bearer KEY", as OpenAI's clients and Prometheus say it, or Basic
// with the key as password, which is how a browser asks people for it.

#include <string>
#include <string_view>

namespace ferry {

// Empty: there is none.
std::string key_in(std::string_view authorization);

}  // namespace ferry
