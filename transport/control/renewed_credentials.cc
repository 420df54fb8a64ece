#include "transport/control/renewed_credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include "core/base/check.h"

namespace ferry {

namespace {

// What gRPC's own C++ classes around such credentials do.
class CCredentials final : public grpc::ServerCredentials {
 public:
  explicit CCredentials(grpc_ssl_server_credentials_options* options)
      : credentials_(grpc_ssl_server_credentials_create_with_options(options)) {}
  ~CCredentials() override { grpc_server_credentials_release(credentials_); }

  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {
    check(false, "nobody looks at metadata of control streams this way");
  }

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  grpc_server_credentials* const credentials_;
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> CertificateSource::credentials() {
  return std::make_shared<CCredentials>(grpc_ssl_server_credentials_create_options_using_config_fetcher(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY, fetch, this));
}

grpc_ssl_certificate_config_reload_status CertificateSource::fetch(void* source,
                                                                   grpc_ssl_server_certificate_config** fetched) {
  auto& self = *static_cast<CertificateSource*>(source);
  ControlTls now = self.current_();
  if (now == self.given_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
  const grpc_ssl_pem_key_cert_pair pair = {.private_key = now.key.c_str(), .cert_chain = now.certificate.c_str()};
  *fetched = grpc_ssl_server_certificate_config_create(now.ca.c_str(), &pair, 1);
  self.given_ = std::move(now);
  return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;  // what gRPC cannot use does not replace what it has
}

}  // namespace ferry
