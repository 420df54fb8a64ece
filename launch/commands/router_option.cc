#include "launch/commands/router_option.h"

#include "core/base/error.h"
#include "launch/auth/guarded_file.h"
#include "launch/io/json_line.h"
#include "launch/io/printable.h"

namespace ferry {

void add_key_options(CLI::App& command, std::string& key) {
  command.add_option("--key", key, "An API key, where it asks for one")->envname("FERRY_API_KEY");
  command  // after the other, so that it counts where both are given
      .add_option_function<std::string>(
          "--key-file", [&key](const std::string& file) { key = read_secret(file); },
          "The same from a file that its owner alone can read")
      ->type_name("FILE");
}

void add_router_options(CLI::App& command, RouterAddress& address) {
  command.add_option("--router", address.url, "Where it answers over HTTP")->capture_default_str();
  add_key_options(command, address.key);
  command.add_option("--ca", address.ca, "PEM file of who signed its certificate, for https:// addresses");
}

std::string body_of(const HttpAnswer& answer, const HttpClient& client) {
  if (answer.status == 200) return answer.body;
  if (answer.status == 401 || answer.status == 403)
    throw Error(str("the router at ", client.url(),
                    " asks for an API key, or for another one: --key, --key-file, or FERRY_API_KEY"));
  throw Error(str(client.url(), " answers ", answer.status, ": ", printable(answer.body.substr(0, 200)),
                  ". Is it a router of Ferry?"));
}

nlohmann::json read_answer(const std::string& body) {
  constexpr int kMostLevels = 32;
  return parse_json(body, kMostLevels);
}

}  // namespace ferry
