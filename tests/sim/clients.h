#pragma once
// Those who asked a router for something, and know what has to come back: each token once, in order, the right one, and
// one end, in time.

#include <map>
#include <vector>

#include "core/router/router.h"
#include "tests/sim/surroundings.h"

namespace ferry::sim {

class Clients {
 public:
  explicit Clients(const Surroundings& around) : around_(around) {}

  void submitted(const Request& request, Instant deadline);
  void cancelled(RequestId id);
  void hear(const RequestEvent& event);
  void check_in_time() const;  // nobody waits longer than his deadline

  int n_asked() const { return static_cast<int>(clients_.size()); }
  int n_waiting() const { return n_waiting_; }
  int n_served() const { return n_served_; }  // got the whole answer
  const RequestEvent& last_word(RequestId id) const { return clients_.at(id).last; }

 private:
  struct Client {
    std::vector<int> expected;
    std::vector<Token> expected_of_prompt;  // with the first token
    Instant deadline;
    size_t n_got = 0;
    bool over = false;
    RequestEvent last;
  };
  void check_prompt(const Client& client, const RequestEvent& event) const;

  const Surroundings around_;
  std::map<RequestId, Client> clients_;
  int n_waiting_ = 0;
  int n_served_ = 0;
};

}  // namespace ferry::sim
