#pragma once
// Whether this cluster serves: a request of one token went all the way lately. Asked for more often than that, it is
// not tried again.

#include <optional>
#include <string>

#include "launch/serve/bell.h"
#include "launch/serve/gateway.h"

namespace ferry {

class Readiness {
 public:
  explicit Readiness(Gateway& gateway) : gateway_(gateway) {}

  // nullopt: it serves; else why not. Takes as long as one token, and not longer than a few seconds. Who rings `bell`
  // does not want to know any more.
  asio::awaitable<std::optional<std::string>> find_out(Bell& bell);

 private:
  Gateway& gateway_;
  std::optional<Instant> served_at_;
};

}  // namespace ferry
