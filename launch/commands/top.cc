#include "launch/commands/top.h"

#include <poll.h>
#include <unistd.h>

#include <iostream>
#include <memory>

#include "core/base/error.h"
#include "launch/commands/router_option.h"
#include "launch/io/live_screen.h"
#include "launch/observe/top_view.h"
#include "launch/process/stop_signals.h"

namespace ferry {

namespace {

struct TopOptions {
  RouterAddress router;
  double interval_s = 1;
  bool once = false;
  bool json = false;
};

std::string snapshot(const HttpClient& client) { return body_of(client.get("/debug/cluster"), client); }

std::string view(const HttpClient& client, const Screen& screen) {
  return top_view(read_answer(snapshot(client)), screen);
}

// A router that does not answer may come back: the groups wait for it, and so do we.
std::string view_or_why_not(const HttpClient& client, const Screen& screen) {
  try {
    return view(client, screen);
  } catch (const Error& e) {
    return str(tinted("no picture", Tint::red, screen.colours), "\n", e.what(), "\ntrying again\n");
  }
}

// Everything that can end it or make it look again. True: go on.
bool wait(StopSignals& signals, LiveScreen& live, double interval_s) {
  pollfd fds[] = {{.fd = signals.fd(), .events = POLLIN, .revents = 0},
                  {.fd = live.keys(), .events = POLLIN, .revents = 0}};
  poll(fds, 2, static_cast<int>(interval_s * 1000));
  return !signals.received() && !(fds[1].revents != 0 && live.asked_to_end());
}

int watch(const TopOptions& options, const HttpClient& client) {
  StopSignals signals;
  LiveScreen live;
  do {
    live.show(view_or_why_not(client, screen_of(STDOUT_FILENO)));
  } while (wait(signals, live, options.interval_s));
  return kDone;
}

// For files and pipes: one picture after the other, or JSON, a line each.
int print(const TopOptions& options, const HttpClient& client) {
  StopSignals signals;
  pollfd signal = {.fd = signals.fd(), .events = POLLIN, .revents = 0};
  constexpr int kAllLines = 1 << 20;
  do {
    const Screen screen = {
        .columns = columns_of(STDOUT_FILENO), .lines = kAllLines, .colours = colours_for(STDOUT_FILENO)};
    std::cout << (options.json ? snapshot(client) : view(client, screen)) << std::endl;
    if (!std::cout) break;  // nobody reads any more
  } while (!options.once && poll(&signal, 1, static_cast<int>(options.interval_s * 1000)) == 0);
  return kDone;
}

int run(const TopOptions& options) {
  const HttpClient client(options.router);
  const bool live = is_terminal(STDOUT_FILENO) && !options.once && !options.json;
  return live ? watch(options, client) : print(options, client);
}

}  // namespace

void add_top(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<TopOptions>();
  CLI::App* command = app.add_subcommand("top", "Watch a cluster: groups, paths, requests, latencies");
  command->footer("Example: ferry top --router http://127.0.0.1:8000        (q or Ctrl-C ends it)");
  add_router_options(*command, options->router);
  command->add_option("--interval", options->interval_s, "Seconds from one look to the next")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  command->add_flag("--once", options->once, "One look");
  command->add_flag("--json", options->json, "What the router answers, a line each");
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace ferry
