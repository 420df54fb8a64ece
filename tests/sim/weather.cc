#include "tests/sim/weather.h"

#include <algorithm>

#include "core/base/codec.h"

namespace ferry::sim {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

}  // namespace

const Weather::Lasting* Weather::active(FaultKind kind, Host a, Host b) const {
  for (const Lasting& l : faults_) {
    const bool here = (l.fault.a == a && l.fault.b == b) || (l.fault.a == b && l.fault.b == a);
    if (l.fault.kind == kind && here && timeline_.now() < l.until) return &l;
  }
  return nullptr;
}

Instant Weather::heals(Host a, Host b) const {
  const Lasting* cut = active(FaultKind::partition, a, b);
  return cut ? cut->until : timeline_.now();
}

Duration Weather::delay(Host a, Host b) {
  const Lasting* slow = active(FaultKind::slow, a, b);
  const Duration usual = random_.between(microseconds(20), microseconds(300));
  const Duration hiccup = random_.chance(0.03) ? random_.between(milliseconds(1), milliseconds(5)) : Duration{};
  return slow ? std::chrono::duration_cast<Duration>(usual * slow->fault.severity) : usual + hiccup;
}

Duration Weather::detection() { return random_.between(schedule_.detection / 2, schedule_.detection); }

bool Weather::strikes(FaultKind kind, Host a, Host b) {
  const Lasting* l = active(kind, a, b);
  return l && random_.chance(l->fault.severity);
}

std::vector<Weather::Delivery> Weather::deliveries(Host a, Host b) {
  std::vector<Delivery> copies;
  if (!strikes(FaultKind::lose, a, b)) copies.push_back({.after = delay(a, b)});
  if (strikes(FaultKind::repeat, a, b)) {
    copies.push_back({.after = random_.between(Duration{}, milliseconds(30)), .out_of_order = true});
  }
  if (!copies.empty() && strikes(FaultKind::reorder, a, b)) {
    copies.front() = {.after = random_.between(Duration{}, milliseconds(30)), .out_of_order = true};
  }
  return copies;
}

void Weather::alter(Host a, Host b, std::string& bytes) {
  if (!strikes(FaultKind::alter, a, b)) return;
  auto message = unpack<wire::ToLeader>(bytes);
  auto* prefill = message ? std::get_if<wire::Prefill>(&*message) : nullptr;
  if (!prefill) return;
  prefill->request.prompt[random_.below(static_cast<int>(prefill->request.prompt.size()))] ^= 1;
  bytes = pack(*message);
}

// Into what is surely no message: a lie that is well formed is not a fault of the network.
void Weather::garble(Host a, Host b, std::string& bytes) {
  if (!strikes(FaultKind::garble, a, b)) return;
  const int how = bytes.empty() ? 0 : random_.below(3);
  if (how == 0) bytes += static_cast<char>(random_.next());
  if (how == 1) bytes.resize(random_.below(static_cast<int>(bytes.size())));
  if (how == 2) bytes[0] = static_cast<char>(0xff);
}

}  // namespace ferry::sim
