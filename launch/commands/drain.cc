#include "launch/commands/drain.h"

#include <fmt/format.h>
#include <poll.h>

#include <cstdio>
#include <memory>

#include "core/base/error.h"
#include "core/base/plain_text.h"
#include "core/base/quoted.h"
#include "launch/commands/router_option.h"
#include "launch/io/printable.h"
#include "launch/process/stop_signals.h"

namespace ferry {

namespace {

using nlohmann::json;

constexpr int kLookAgainMs = 200;

struct DrainOptions {
  std::string group;
  RouterAddress router;
  bool undo = false;
  bool wait = false;
};

// What the router says of the group, or why it does not, in its own words.
json answer_of(const HttpAnswer& answer, const HttpClient& client) {
  if (answer.status == 400 || answer.status == 403 || answer.status == 404) {
    const json body = json::parse(answer.body, nullptr, false);
    const json message = body.is_object() ? body.value("/error/message"_json_pointer, json()) : json();
    if (message.is_string())
      throw Error(str("the router at ", client.url(), ": ", printable(message.get<std::string>())));
  }
  return read_answer(body_of(answer, client));
}

void print(const json& group) {
  const int n = group.at("requests").get<int>();
  fmt::print("{}: {}{}\n", group.at("group").get<std::string>(), group.at("state").get<std::string>(),
             n == 0 ? "" : fmt::format(", {} request{} there", n, n == 1 ? " is" : "s are"));
  std::fflush(stdout);
}

json find(const HttpClient& client, const std::string& name) {
  const json answer = answer_of(client.get("/admin/groups"), client);
  for (const json& group : answer.at("groups")) {
    if (group.at("group") == name) return group;
  }
  throw Error(str("group ", name, " has left before it was empty: its requests go on elsewhere"));
}

// Each news is a line.
int wait_until_empty(const HttpClient& client, json group) {
  StopSignals signals;
  pollfd signal = {.fd = signals.fd(), .events = POLLIN, .revents = 0};
  while (group.at("state") == "draining") {
    if (poll(&signal, 1, kLookAgainMs) != 0) {
      fmt::print(stderr, "It drains on; `ferry drain {} --undo` takes it back.\n",
                 group.at("group").get<std::string>());
      return kWorldNotAsNeeded;
    }
    json now = find(client, group.at("group"));
    if (now != group) print(now);
    group = std::move(now);
  }
  if (group.at("state") == "drained") return kDone;
  throw Error(str("group ", group.at("group").get<std::string>(),
                  " is not drained any more: somebody took it back, or "
                  "it has joined anew"));
}

int run(const DrainOptions& options) {
  if (!is_plain_name(options.group)) throw Error(str(quoted(options.group), " is no name of a group"));
  const HttpClient client(options.router);
  const json call = {{"group", options.group}, {"undo", options.undo}};
  const json group = answer_of(client.post("/admin/drain", call.dump()), client);
  print(group);
  return options.wait ? wait_until_empty(client, group) : kDone;
}

}  // namespace

void add_drain(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<DrainOptions>();
  CLI::App* command = app.add_subcommand("drain", "Give a group nothing new, before it is stopped");
  command->footer(
      "Example:\n"
      "  ferry drain decode-0 --wait        (--undo takes it back)\n"
      "It has to be an admin key where the router has keys; else, the router's own host.");
  command->add_option("group", options->group, "Its name in cluster.yaml")->required();
  CLI::Option* undo = command->add_flag("--undo", options->undo, "Give it requests again");
  command->add_flag("--wait", options->wait, "Until it has ended what it had")->excludes(undo);
  add_router_options(*command, options->router);
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace ferry
