#include "launch/commands/router_option.h"

#include "core/base/error.h"
#include "launch/io/json_line.h"
#include "launch/io/printable.h"

namespace ferry {

void add_router_options(CLI::App& command, RouterAddress& address) {
  command.add_option("--router", address.url, "Where it answers over HTTP")->capture_default_str();
  command.add_option("--key", address.key, "An API key, where it asks for one")->envname("FERRY_API_KEY");
  command.add_option("--ca", address.ca, "PEM file of who signed its certificate, for https:// addresses");
}

std::string body_of(const HttpAnswer& answer, const HttpClient& client) {
  if (answer.status == 200) return answer.body;
  if (answer.status == 401 || answer.status == 403)
    throw Error(
        str("the router at ", client.url(), " asks for an API key, or for another one: --key, or FERRY_API_KEY"));
  throw Error(str(client.url(), " answers ", answer.status, ": ", printable(answer.body.substr(0, 200)),
                  ". Is it a router of Ferry?"));
}

nlohmann::json read_answer(const std::string& body) {
  constexpr int kMostLevels = 32;
  return parse_json(body, kMostLevels);
}

}  // namespace ferry
