#pragma once
// Options of commands that ask a running router.

#include <nlohmann/json.hpp>
#include <string>

#include "launch/commands/command.h"
#include "launch/serve/http_client.h"

namespace ferry {

// An API key on the command line, from the environment, or from a file, which other processes cannot see.
void add_key_options(CLI::App& command, std::string& key);
void add_router_options(CLI::App& command, RouterAddress& address);

// Error for a status that is not 200, with what to do.
std::string body_of(const HttpAnswer& answer, const HttpClient& client);
nlohmann::json read_answer(const std::string& body);  // Error when it is no JSON

}  // namespace ferry
