#pragma once
// How the two ends of a control stream know each other: texts from files that the caller read.

#include <string>

namespace ferry {

// PEM: this end's certificate and private key, and who signs the other end's.
struct ControlTls {
  std::string certificate, key, ca;
};

struct ControlSecurity {
  // A leader shows it when it dials; without TLS, whoever reads along on the way learns it. Empty: none is asked for.
  std::string join_token;
  ControlTls tls;  // empty: the stream is not encrypted

  bool encrypts() const { return !tls.certificate.empty(); }
};

}  // namespace ferry
