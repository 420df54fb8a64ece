#include "launch/auth/live_tls.h"

#include <spdlog/spdlog.h>

#include "core/base/error.h"
#include "launch/auth/tls.h"

namespace ferry {

LiveTls::LiveTls(const TlsConfig& files) : files_(files), seen_(stamps()), context_(tls_for_clients(files_)) {}

LiveTls::Stamps LiveTls::stamps() const {
  return {.certificate = FileStamp::of(files_.certificate), .key = FileStamp::of(files_.key)};
}

boost::asio::ssl::context& LiveTls::for_new_connection() {
  const Stamps now = stamps();
  if (now == seen_) return context_;
  seen_ = now;  // taken before they are read: what changes meanwhile is read again
  try {
    context_ = tls_for_clients(files_);
    spdlog::info("router.tls: new connections get the new certificate");
  } catch (const Error& e) {
    spdlog::error("router.tls: {}. New connections get the certificate of before until this is mended", e.what());
  }
  return context_;
}

}  // namespace ferry
