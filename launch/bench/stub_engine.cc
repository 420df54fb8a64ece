#include "launch/bench/stub_engine.h"

#include <algorithm>

namespace ferry {

namespace {

constexpr Duration kStatsEvery = std::chrono::milliseconds(200);  // as real groups do: a sign of life

wire::GroupInfo info_of(const StubRules& rules) {
  const KvLayout layout({.layers = {0, 1}, .heads = {0, 1}}, 16, 8, KvDtype::f32, 1);
  return {.key = {"stub", 1},
          .role = wire::Role::mixed,
          .model_hash = rules.model_hash,
          .max_context = rules.max_context,
          .max_sequences = rules.max_sequences,
          .layouts = {layout},
          .ops = "stub"};
}

}  // namespace

void StubEngine::joined() { messages_.push_back(wire::Hello{.group = info_of(rules_)}); }

void StubEngine::lost() {
  running_.clear();
  messages_.clear();
}

void StubEngine::take(const wire::ToLeader& message, Instant now) {
  if (const auto* run = std::get_if<wire::Run>(&message)) begin(run->attempt, run->request, now);
  if (const auto* abort = std::get_if<wire::Abort>(&message)) {
    running_.erase(abort->attempt);
    messages_.push_back(wire::Aborted{.attempt = abort->attempt});
  }
  if (std::holds_alternative<wire::Stop>(message) || std::holds_alternative<wire::Refuse>(message)) stopped_ = true;
}

void StubEngine::begin(const wire::Attempt& attempt, const Request& request, Instant now) {
  running_[attempt] = {.seed = request.sampling.seed, .n_left = request.max_tokens, .from = now + rules_.prefill};
}

Instant StubEngine::next() const { return running_.empty() ? next_stats_ : std::min(next_step_, next_stats_); }

void StubEngine::turn(Instant now) {
  if (now >= next_stats_) {
    next_stats_ = now + kStatsEvery;
    messages_.push_back(wire::Stats{.pages = {.free = 1}, .n_running = static_cast<int>(running_.size())});
  }
  if (now < next_step_) return;
  // A late step does not make those after it late, and is not made up for by a burst.
  next_step_ = std::max(next_step_ + rules_.step, now);
  for (auto it = running_.begin(); it != running_.end();) {
    auto& [attempt, running] = *it;
    it = running.from <= now && say(attempt, running, now) ? running_.erase(it) : std::next(it);
  }
}

// True: that was its last token.
bool StubEngine::say(const wire::Attempt& attempt, Running& running, Instant now) {
  const bool last = --running.n_left == 0;
  messages_.push_back(wire::Tokens{.attempt = attempt,
                                   .first = running.n_said++,
                                   .tokens = {{.id = rules_.token}},
                                   .finish = last ? Finish::length : Finish::none,
                                   .bill = {}});
  said_[running.seed].push_back(now);
  return last;
}

}  // namespace ferry
