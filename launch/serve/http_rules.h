#pragma once
// What of a request that could be parsed is against the rules of HTTP all the same, or more than this server does.
// Pure.

#include <optional>
#include <string>
#include <string_view>

#include "launch/api/api_error.h"
#include "launch/serve/exchange.h"

namespace ferry {

// Before its body is read. Where that ends is not sure any more: the connection ends, too.
std::optional<ApiError> objection_to(const HttpHeader& header);

// To a body that should be JSON: it says that it is something else.
std::optional<ApiError> objection_to_type(const HttpHeader& header);

// A page in a browser sent it, or a proxy passed it on, as its header says: who opened the connection is not who asks.
bool is_passed_on(const HttpHeader& header);

bool asks_to_go_on(const HttpHeader& header);  // before it sends its body

// The path of a target, without the query: of the absolute form, too, and with octets that need no '%' without it.
// Whoever decides by a path takes this one: one that looked different to two of them would pass both.
std::string path_of(std::string_view target);
std::string path_of(const HttpHeader& header);

}  // namespace ferry
