#pragma once
// What the network does at a time: how long things take between two hosts, and what becomes of them.

#include <optional>
#include <vector>

#include "tests/sim/random.h"
#include "tests/sim/schedule.h"
#include "tests/sim/timeline.h"

namespace ferry::sim {

class Weather {
 public:
  Weather(const Schedule& schedule, const Timeline& timeline, Random& random)
      : schedule_(schedule), timeline_(timeline), random_(random) {}

  void begin(const Fault& fault) { faults_.push_back({fault, timeline_.now() + fault.lasts}); }

  bool cut(Host a, Host b) const { return active(FaultKind::partition, a, b) != nullptr; }
  Instant heals(Host a, Host b) const;  // now, if nothing is cut
  Duration delay(Host a, Host b);       // of a message, or of a put
  Duration detection();                 // until silence is taken for an end
  bool strikes(FaultKind kind, Host a, Host b);

  struct Delivery {
    Duration after{};
    bool out_of_order = false;
  };
  std::vector<Delivery> deliveries(Host a, Host b);  // of each copy of a message; none: it is lost
  void alter(Host a, Host b, std::string& bytes);    // perhaps: the prompt of a Prefill
  void garble(Host a, Host b, std::string& bytes);   // perhaps

 private:
  struct Lasting {
    Fault fault;
    Instant until;
  };
  const Lasting* active(FaultKind kind, Host a, Host b) const;

  const Schedule& schedule_;
  const Timeline& timeline_;
  Random& random_;
  std::vector<Lasting> faults_;
};

}  // namespace ferry::sim
