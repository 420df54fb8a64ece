#include "launch/commands/cluster_watch.h"

#include <chrono>
#include <condition_variable>

#include "core/base/error.h"
#include "launch/commands/router_option.h"

namespace ferry {

namespace {

constexpr auto kPause = std::chrono::seconds(1);

ClusterWatch::Look look_at(const HttpClient& client) {
  try {
    return {.cluster = read_answer(body_of(client.get("/debug/cluster"), client)), .why_not = {}};
  } catch (const Error& e) {
    return {.cluster = {}, .why_not = e.what()};
  }
}

}  // namespace

ClusterWatch::ClusterWatch(const RouterAddress& router)
    : client_(router), thread_([this](const std::stop_token& stop) { run(stop); }) {}

ClusterWatch::Look ClusterWatch::latest() const {
  const std::lock_guard lock(mutex_);
  return latest_;
}

void ClusterWatch::run(const std::stop_token& stop) {
  std::condition_variable_any ended;
  while (!stop.stop_requested()) {
    Look look = look_at(client_);
    std::unique_lock lock(mutex_);
    latest_ = std::move(look);
    ended.wait_for(lock, stop, kPause, [] { return false; });
  }
}

}  // namespace ferry
