#pragma once
// How the two ends of a control stream know each other: texts from files that the caller read.

#include <functional>
#include <string>

namespace ferry {

// PEM: this end's certificate and private key, and who signs the other end's.
struct ControlTls {
  std::string certificate, key, ca;

  bool operator==(const ControlTls&) const = default;
};

struct ControlSecurity {
  // A leader shows it when it dials; without TLS, whoever reads along on the way learns it. Empty: none is asked for.
  std::string join_token;
  // What a new connection shows and trusts: asked for each, by one thread at a time, not always the same. Streams that
  // are open keep what they began with. None: streams are not encrypted.
  std::function<ControlTls()> tls;

  bool encrypts() const { return static_cast<bool>(tls); }
};

}  // namespace ferry
