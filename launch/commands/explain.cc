#include "launch/commands/explain.h"

#include <unistd.h>

#include <iostream>
#include <memory>

#include "core/base/error.h"
#include "core/base/plain_text.h"
#include "core/base/quoted.h"
#include "launch/commands/router_option.h"
#include "launch/observe/explain_view.h"

namespace ferry {

namespace {

struct ExplainOptions {
  std::string id;
  RouterAddress router;
  bool json = false;
};

int run(const ExplainOptions& options) {
  const HttpClient client(options.router);
  if (!is_plain_name(options.id))  // it becomes a part of a URL
    throw Error(str(quoted(options.id), " is no id of a request; they look like req-0123abcd…"));
  const HttpAnswer answer = client.get("/debug/requests/" + options.id);
  if (answer.status == 404) {
    throw Error(
        str("the router at ", client.url(), " does not know the request ", quoted(options.id),
            ". It remembers the latest 2000 since its start, and tells a key of its own requests only, unless it is "
            "an admin's; ids are in the header x-request-id, and ",
            client.url(), "/debug/requests lists the latest 100"));
  }
  const std::string body = body_of(answer, client);
  if (options.json) {
    std::cout << body << '\n';
  } else {
    const Screen screen = {.columns = columns_of(STDOUT_FILENO), .colours = colours_for(STDOUT_FILENO)};
    std::cout << explain_view(read_answer(body), screen);
  }
  return kDone;
}

}  // namespace

void add_explain(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<ExplainOptions>();
  CLI::App* command = app.add_subcommand("explain", "Where the time of a request went");
  command->footer("Example: ferry explain req-4f5c1d0e9a7b --router http://127.0.0.1:8000");
  command->add_option("id", options->id, "Its x-request-id")->required();
  add_router_options(*command, options->router);
  command->add_flag("--json", options->json, "What the router answers, as it is");
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace ferry
