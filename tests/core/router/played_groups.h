#pragma once
// A router whose groups are played by the test.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/router/router.h"
#include "tests/support/made_up_group.h"
#include "tests/support/manual_clock.h"

namespace ferry {

class RouterTest : public testing::Test {
 protected:
  RouterTest() : RouterTest(RouterRules{.model_hash = 5, .epoch = 9}) {}
  explicit RouterTest(const RouterRules& rules) : router(rules, clock) {}

  void join(StreamId stream, const std::string& name, wire::Role role) {
    router.message(stream, wire::Hello{.group = made_up_group(name, role)});
  }
  void collect() {
    for (auto& [to, message] : router.take_to_leaders()) {
      if (const auto* reserve = std::get_if<wire::Reserve>(&message)) pairings_[reserve->attempt] = reserve->pairing;
      sent_.emplace_back(to, message);
    }
  }
  // What was sent to `stream` of that kind since the last call, in order; messages of other kinds are dropped.
  template <class Message>
  std::vector<Message> sent(StreamId stream) {
    collect();
    std::vector<Message> result;
    std::erase_if(sent_, [&](const auto& entry) {
      const auto* m = std::get_if<Message>(&entry.second);
      if (entry.first != stream || !m) return false;
      result.push_back(*m);
      return true;
    });
    return result;
  }
  void pair(StreamId prefill, StreamId decode) {
    const auto introduced = sent<wire::Introduce>(decode);
    for (const auto& m : introduced) {
      router.message(decode, wire::Opened{.pairing = m.pairing, .addresses = {"d"}});
      router.message(prefill, wire::Opened{.pairing = m.pairing, .addresses = {"p"}});
      router.message(decode, wire::Paired{.pairing = m.pairing,
                                          .transport = "shm",
                                          .there = {.gb_per_s = 2, .latency_us = 1},
                                          .back = {.gb_per_s = 1, .latency_us = 1}});
    }
  }
  void submit(RequestId id, int max_tokens = 3, Duration budget = std::chrono::seconds(60)) {
    router.submit({.id = id, .prompt = {1, 2}, .max_tokens = max_tokens}, budget);
    router.tick();
  }
  wire::Attempt attempt(RequestId id, int n) const { return {.router = 9, .request = id, .attempt = n}; }
  void tokens(StreamId stream, RequestId id, int n, int first, std::vector<int> ids, Finish finish = Finish::none) {
    wire::Tokens message = {.attempt = attempt(id, n), .first = first, .tokens = {}, .finish = finish, .bill = {}};
    for (const int token : ids) message.tokens.push_back({.id = token});
    router.message(stream, message);
  }
  void reserved(StreamId stream, RequestId id, int n) {
    collect();
    const wire::Attempt it = attempt(id, n);
    router.message(stream, wire::Reserved{.ticket = {.name = {.attempt = it}, .pairing = pairings_[it]}});
  }
  std::vector<int> told(RequestId id) {
    std::vector<int> ids;
    for (const RequestEvent& e : router.take_events()) {
      if (e.id != id) continue;
      for (const Token& t : e.tokens) ids.push_back(t.id);
    }
    return ids;
  }

  ManualClock clock;
  Router router;
  std::vector<std::pair<StreamId, wire::ToLeader>> sent_;
  std::map<wire::Attempt, wire::Pairing> pairings_;  // in which an attempt was to be reserved
};

constexpr StreamId kP0 = 1, kP1 = 2, kD0 = 3, kD1 = 4;

class TwoByTwo : public RouterTest {
 protected:
  TwoByTwo() {
    join(kP0, "p0", wire::Role::prefill);
    join(kD0, "d0", wire::Role::decode);
    pair(kP0, kD0);
  }
  void another_prefill() {
    join(kP1, "p1", wire::Role::prefill);
    pair(kP1, kD0);
  }
};

}  // namespace ferry
