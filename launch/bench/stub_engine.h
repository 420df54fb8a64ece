#pragma once
// A group without a model: it says the same token again and again, in steps as a real one does, at a pace that is set.
// What is measured in front of it is everything but an engine. Pure: messages and the time in, messages out.

#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/seam/clock.h"
#include "core/wire/messages.h"

namespace ferry {

struct StubRules {
  uint64_t model_hash = 0;
  int max_context = 0;
  int token = 0;       // that it says
  Duration prefill{};  // before the first token of each request
  Duration step{};     // between tokens; 0: as soon as the messages before are sent
  int max_sequences = 1 << 16;
};

class StubEngine {
 public:
  explicit StubEngine(const StubRules& rules) : rules_(rules) {}

  void joined();  // a stream to the router is there
  void lost();    // it is gone, and all requests with it
  void take(const wire::ToLeader& message, Instant now);
  void turn(Instant now);  // a step, when it is due
  Instant next() const;    // when turn() has something to do

  std::vector<wire::ToRouter> take_messages() { return std::exchange(messages_, {}); }
  bool stopped() const { return stopped_; }

  // When each token was said, by the request's seed.
  using Said = std::unordered_map<uint64_t, std::vector<Instant>>;
  const Said& said() const { return said_; }

 private:
  struct Running {
    uint64_t seed = 0;
    int n_said = 0, n_left = 0;
    Instant from;  // when its prompt is computed
  };
  void begin(const wire::Attempt& attempt, const Request& request, Instant now);
  bool say(const wire::Attempt& attempt, Running& running, Instant now);

  const StubRules rules_;
  std::map<wire::Attempt, Running> running_;
  std::vector<wire::ToRouter> messages_;
  Instant next_step_{}, next_stats_{};
  Said said_;
  bool stopped_ = false;
};

}  // namespace ferry
