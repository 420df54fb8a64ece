#include "launch/auth/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <memory>

#include "core/base/error.h"
#include "launch/auth/guarded_file.h"

namespace ferry {

namespace {

namespace ssl = boost::asio::ssl;

constexpr mode_t kOthersReadOrGroupWrites = S_IRWXO | S_IWGRP;

std::string read_private_key(const std::filesystem::path& file) {
  return read_guarded(file, {.forbidden_mode = kOthersReadOrGroupWrites});
}

std::string read_certificates(const std::filesystem::path& file) {
  return read_guarded(file, {.most_bytes = size_t{1} << 20, .forbidden_mode = kOthersWrite});
}

void require(const boost::system::error_code& failed, const std::filesystem::path& file, const char* what) {
  if (failed) throw Error(str(file.string(), " is no ", what, " in PEM form: ", failed.message()));
}

// What stands in the files becomes what the context shows.
void show(ssl::context& context, const TlsConfig& files, const std::string& chain, const std::string& key) {
  boost::system::error_code failed;
  context.use_certificate_chain(boost::asio::buffer(chain), failed);
  require(failed, files.certificate, "certificate");
  context.use_private_key(boost::asio::buffer(key), ssl::context::pem, failed);
  require(failed, files.key, "private key of that certificate");
  if (SSL_CTX_check_private_key(context.native_handle()) != 1) {
    throw Error(str(files.key.string(), " is not the private key of ", files.certificate.string()));
  }
}

// gRPC takes a file of certificates whole or not at all.
void require_certificates(const std::filesystem::path& file, const std::string& text) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> in(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())),
                                                     BIO_free);
  int n_certificates = 0;
  ERR_clear_error();
  while (X509* certificate = PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)) {
    X509_free(certificate);
    ++n_certificates;
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (n_certificates == 0 || !at_end) throw Error(str(file.string(), " is no list of certificates in PEM form"));
}

}  // namespace

ssl::context tls_for_clients(const TlsConfig& files) {
  ssl::context context(ssl::context::tls_server);
  SSL_CTX* const settings = context.native_handle();
  SSL_CTX_set_min_proto_version(settings, TLS1_2_VERSION);
  // A client that renegotiates again and again costs the server far more than itself.
  SSL_CTX_set_options(settings, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(settings, SSL_MODE_RELEASE_BUFFERS);  // idle connections keep none
  show(context, files, read_certificates(files.certificate), read_private_key(files.key));
  return context;
}

ControlTls tls_for_leaders(const ControlTlsConfig& files) {
  ControlTls tls = {.certificate = read_certificates(files.certificate),
                    .key = read_private_key(files.key),
                    .ca = read_certificates(files.ca)};
  ssl::context tried(ssl::context::tls);
  show(tried, {.certificate = files.certificate, .key = files.key}, tls.certificate, tls.key);
  require_certificates(files.ca, tls.ca);
  return tls;
}

}  // namespace ferry
