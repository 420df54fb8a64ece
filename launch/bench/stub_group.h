#pragma once
// A stub engine that dials in at a router as a real leader does, on a thread of its own.

#include <atomic>
#include <stop_token>
#include <string>
#include <thread>

#include "launch/bench/stub_engine.h"

namespace ferry {

// Of a group that serves this model's tokens: one that is one byte of text, so that an answer's bytes count them.
StubRules stub_rules(const std::string& model, Duration prefill, Duration step);

class StubGroup {
 public:
  StubGroup(const StubRules& rules, const std::string& router);
  ~StubGroup();
  StubGroup(const StubGroup&) = delete;
  StubGroup& operator=(const StubGroup&) = delete;

  bool ended() const { return ended_; }  // the router told it to

  // Ends it: when each token was said, by the request's seed.
  const StubEngine::Said& end();

 private:
  void run(const std::stop_token& stop, const std::string& router);

  StubEngine engine_;
  std::atomic<bool> ended_ = false;
  std::jthread thread_;
};

}  // namespace ferry
