#include "launch/auth/tls.h"

#include <openssl/ssl.h>

#include "core/base/error.h"
#include "launch/auth/guarded_file.h"

namespace ferry {

namespace {

namespace ssl = boost::asio::ssl;

constexpr mode_t kOthersReadOrGroupWrites = S_IRWXO | S_IWGRP;

void require(const boost::system::error_code& failed, const std::filesystem::path& file, const char* what) {
  if (failed) throw Error(str(file.string(), " is no ", what, " in PEM form: ", failed.message()));
}

}  // namespace

ssl::context tls_for_clients(const TlsConfig& files) {
  ssl::context context(ssl::context::tls_server);
  SSL_CTX* const settings = context.native_handle();
  SSL_CTX_set_min_proto_version(settings, TLS1_2_VERSION);
  // A client that renegotiates again and again costs the server far more than itself.
  SSL_CTX_set_options(settings, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(settings, SSL_MODE_RELEASE_BUFFERS);  // idle connections keep none
  const std::string chain = read_certificate(files.certificate), key = read_private_key(files.key);
  boost::system::error_code failed;
  context.use_certificate_chain(boost::asio::buffer(chain), failed);
  require(failed, files.certificate, "certificate");
  context.use_private_key(boost::asio::buffer(key), ssl::context::pem, failed);
  require(failed, files.key, "private key of that certificate");
  if (SSL_CTX_check_private_key(settings) != 1) {
    throw Error(str(files.key.string(), " is not the private key of ", files.certificate.string()));
  }
  return context;
}

std::string read_private_key(const std::filesystem::path& file) {
  return read_guarded(file, {.forbidden_mode = kOthersReadOrGroupWrites});
}

std::string read_certificate(const std::filesystem::path& file) {
  return read_guarded(file, {.most_bytes = size_t{1} << 20, .forbidden_mode = kOthersWrite});
}

}  // namespace ferry
