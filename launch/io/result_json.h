#pragma once
// Parts of a result as JSON, the same in JSON lines and over HTTP.

#include <nlohmann/json.hpp>

#include "launch/io/results.h"

namespace ferry {

nlohmann::ordered_json json_of(const ResultMs& ms);
nlohmann::ordered_json json_of(const Route& route);

double rounded_ms(double ms);  // microseconds are as fine as a reader needs

// The shortest digits that are this float; as a double it would print seven more that mean nothing. JSON has no
// infinity: a token that cannot come has the value that OpenAI's API uses.
double json_number(float logprob);

// Valid UTF-8 whatever the texts' bytes are (invalid ones become U+FFFD).
std::string text_of(const nlohmann::ordered_json& json);

}  // namespace ferry
