#include "launch/commands/up.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>

#include "core/base/error.h"
#include "launch/commands/cluster_watch.h"
#include "launch/commands/router_option.h"
#include "launch/config/exposure.h"
#include "launch/io/live_screen.h"
#include "launch/io/log.h"
#include "launch/io/log_sink.h"
#include "launch/observe/up_view.h"
#include "launch/process/deployment.h"
#include "launch/process/stop_signals.h"
#include "launch/runtime/metrics.h"

namespace ferry {

namespace {

constexpr auto kTurn = std::chrono::milliseconds(20);
constexpr Duration kRedraw = std::chrono::milliseconds(200);
constexpr Duration kBegins = std::chrono::seconds(30);  // as long as a router may need to read its model
constexpr size_t kLastLines = 200;                      // as many as a screen may show
constexpr size_t kFarewell = 10;                        // that are left behind when the picture goes

struct UpOptions {
  std::string yaml;
  std::string key;
  bool lines = false;
};

void print_line(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fputc('\n', stderr);
}

// Where this host reaches a router that listens there.
std::string url_of(const RouterConfig& router) {
  const bool is_any = router.listen.host == "0.0.0.0" || router.listen.host == "::";
  const HostPort here = {.host = is_any ? "127.0.0.1" : router.listen.host, .port = router.listen.port};
  return (router.tls.given() ? "https://" : "http://") + here.text();
}

UpStatus::Part part_of(const Deployment::Part& part, std::string name) {
  const Instant now = std::chrono::steady_clock::now();
  return {.name = std::move(name),
          .role = {},
          .runs = part.runs,
          .for_ms = part.runs ? ms_between(part.since, now) : ms_between(now, part.again),
          .n_restarts = part.n_starts - 1,
          .last_end = part.last_end};
}

// What the processes print: lines as they come, or the last of them below a picture of the whole.
class UpScreen {
 public:
  UpScreen(const ClusterConfig& config, const UpOptions& options) : config_(config) {
    const bool live = can_redraw(STDOUT_FILENO) && log_form() == LogForm::text && !options.lines;
    if (!live) return;
    watch_.emplace(RouterAddress{.url = url_of(config.router), .key = options.key, .ca = {}});
    picture_.emplace();
    log_to([this](std::string_view line) { take(line); });
  }
  ~UpScreen() { end(); }
  UpScreen(const UpScreen&) = delete;
  UpScreen& operator=(const UpScreen&) = delete;

  void take(std::string_view line) {
    if (!picture_ || !is_terminal(STDERR_FILENO)) print_line(line);  // a file gets all of them
    if (!picture_) return;
    lines_.emplace_back(line);
    if (lines_.size() > kLastLines) lines_.pop_front();
  }

  void turn(const Deployment& deployment) {
    const Instant now = std::chrono::steady_clock::now();
    if (!picture_ || now < next_) return;
    next_ = now + kRedraw;
    picture_->show(up_view(status_of(deployment), screen_of(STDOUT_FILENO)));
  }

  // From now on lines come as they are; those that were seen last stay.
  void end() {
    if (!picture_) return;
    picture_.reset();
    log_to_stderr();
    if (!is_terminal(STDERR_FILENO)) return;
    const size_t first = lines_.size() - std::min(lines_.size(), kFarewell);
    for (size_t i = first; i < lines_.size(); ++i) print_line(lines_[i]);
  }

 private:
  UpStatus status_of(const Deployment& deployment) const {
    ClusterWatch::Look look = watch_->latest();
    // That nobody answers yet is to be expected of one that has just begun.
    const bool begins = std::chrono::steady_clock::now() - deployment.router().since < kBegins;
    if (begins && look.cluster.is_null()) look.why_not.clear();
    UpStatus status = {.parts = {part_of(deployment.router(), "router")},
                       .model = config_.model.stem().string(),
                       .url = url_of(config_.router),
                       .cluster = std::move(look.cluster),
                       .why_not = std::move(look.why_not),
                       .lines = lines_};
    for (const GroupConfig& group : config_.groups) {
      UpStatus::Part& part = status.parts.emplace_back(part_of(deployment.group(group.name), group.name));
      part.role = std::string(role_name(static_cast<wire::Role>(group.role)));
      part.tp = group.tp;
    }
    return status;
  }

  const ClusterConfig& config_;
  std::optional<ClusterWatch> watch_;
  std::optional<LiveScreen> picture_;  // none: lines as they come
  std::deque<std::string> lines_;
  Instant next_{};
};

int deploy_with(const UpOptions& options) {
  StopSignals signals;
  const ClusterConfig config = load_cluster(options.yaml);
  if (config.router.control.port == 0) throw Error("router.control: groups have to know the port; give one");
  for (const auto& open : {open_http(config), open_control(config)}) {
    if (open) throw Error(*open);
  }
  UpScreen screen(config, options);
  Deployment deployment(options.yaml, config, [&screen](std::string_view line) { screen.take(line); });
  pollfd signal = {.fd = signals.fd(), .events = POLLIN, .revents = 0};
  while (!signals.received()) {
    deployment.turn();
    screen.turn(deployment);
    poll(&signal, 1, static_cast<int>(kTurn.count()));
  }
  screen.end();
  spdlog::info("stopping");
  deployment.stop();
  return kDone;
}

}  // namespace

int deploy(const std::string& yaml) { return deploy_with({.yaml = yaml, .key = {}}); }

void add_up(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<UpOptions>();
  CLI::App* command = app.add_subcommand("up", "Serve: the router and all groups, restarted when they end");
  command->footer(
      "Example:\n"
      "  ferry up launch/examples/quickstart.yaml        (Ctrl-C stops everything)\n"
      "  curl http://127.0.0.1:8000/v1/completions -d '{\"prompt\": \"A ferry is\"}'");
  command->add_option("cluster", options->yaml, "cluster.yaml")->required();
  command->add_flag("--lines", options->lines, "What is logged, line by line, on a terminal, too");
  add_key_options(*command, options->key);
  command->callback([options, &chosen] { chosen = [options] { return deploy_with(*options); }; });
}

}  // namespace ferry
