#pragma once
// A server's certificates that change while it runs. gRPC 1.51 has this only in its C interface. Its providers for C++
// read files by themselves, without a look at who else can, and a broken file takes the server's connections down.

#include <grpcpp/security/server_credentials.h>

#include <functional>
#include <memory>
#include <utility>

#include "transport/control/control_security.h"

namespace ferry {

class CertificateSource {
 public:
  explicit CertificateSource(std::function<ControlTls()> current) : current_(std::move(current)) {}
  CertificateSource(const CertificateSource&) = delete;
  CertificateSource& operator=(const CertificateSource&) = delete;

  // Who dials has to show a certificate. This outlives the server that they are for.
  std::shared_ptr<grpc::ServerCredentials> credentials();

 private:
  // gRPC's callback, for each connection. `source` is one of these.
  static grpc_ssl_certificate_config_reload_status fetch(void* source, grpc_ssl_server_certificate_config** fetched);

  const std::function<ControlTls()> current_;
  ControlTls given_;  // to gRPC, last
};

}  // namespace ferry
