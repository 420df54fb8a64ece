#include "launch/bench/load_run.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace ferry {

namespace {

constexpr auto kTurn = std::chrono::milliseconds(100);

// Greedy and past the end tokens: as long as the plan says. The seed is the request's name: a stub knows it by that.
std::string body_of(const PlannedRequest& request, const LoadRules& rules, size_t index) {
  return nlohmann::json{{"prompt", prompt_of(request, rules.seed, rules.first_name + index)},
                        {"max_tokens", request.n_tokens},
                        {"temperature", 0},
                        {"seed", rules.first_name + index},
                        {"ignore_eos", true},
                        {"stream", true},
                        {"stream_options", {{"include_usage", true}}}}
      .dump();
}

class Load {
 public:
  Load(asio::io_context& io, const LoadPlan& plan, const LoadRules& rules)
      : io_(io),
        plan_(plan),
        rules_(rules),
        client_(io, rules.url, rules.key),
        result_{.records = {}},
        turn_timer_(io) {
    result_.records.resize(plan.size());
  }

  void start() {
    begin_ = std::chrono::steady_clock::now();
    turn();
    if (rules_.concurrency == 0) return asio::co_spawn(io_, keep_to_the_plan(), asio::detached);
    for (int i = 0; i < rules_.concurrency; ++i) asio::co_spawn(io_, be_a_client(), asio::detached);
  }

  LoadResult take() {
    result_.most_open = client_.most_open();
    return std::move(result_);
  }

 private:
  // No coroutine: an exception is to leave io.run().
  void turn() {
    if (rules_.on_turn) rules_.on_turn(n_done_);
    turn_timer_.expires_after(kTurn);
    turn_timer_.async_wait([this](error_code over) {
      if (!over && n_done_ < plan_.size()) turn();
    });
  }

  asio::awaitable<void> keep_to_the_plan() {
    asio::steady_timer timer(io_);
    for (size_t i = 0; i < plan_.size(); ++i) {
      timer.expires_at(begin_ + plan_[i].at);
      co_await timer.async_wait(asio::use_awaitable);
      asio::co_spawn(io_, ask(i, begin_ + plan_[i].at), asio::detached);
    }
  }

  asio::awaitable<void> be_a_client() {
    while (next_ < plan_.size()) {
      const size_t index = next_++;
      co_await ask(index, std::chrono::steady_clock::now());
    }
  }

  asio::awaitable<void> ask(size_t index, Instant due) {
    StreamRecord& record = result_.records[index];
    record.due = due;
    std::string body = body_of(plan_[index], rules_, index);
    co_await client_.ask(std::move(body), record);
    if (++n_done_ == plan_.size()) turn_timer_.cancel();
  }

  asio::io_context& io_;
  const LoadPlan& plan_;
  const LoadRules& rules_;
  LoadClient client_;
  LoadResult result_;
  asio::steady_timer turn_timer_;
  Instant begin_;
  size_t next_ = 0, n_done_ = 0;
};

}  // namespace

LoadResult run_load(const LoadPlan& plan, const LoadRules& rules) {
  asio::io_context io(1);
  Load load(io, plan, rules);
  load.start();
  io.run();
  return load.take();
}

}  // namespace ferry
