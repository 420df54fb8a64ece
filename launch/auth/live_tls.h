#pragma once
// The certificate that is shown now: read again when one of its files changes, as those who renew certificates expect.

#include <boost/asio/ssl/context.hpp>

#include "launch/auth/file_stamp.h"
#include "launch/config/cluster_config.h"

namespace ferry {

class LiveTls {
 public:
  // Error when a file cannot be used. `files` outlives it.
  explicit LiveTls(const TlsConfig& files);

  // For a new connection: looks whether the files have changed first (a `stat` each). When they have become unusable,
  // the certificate of before stays, and the log says why, once for each change. Connections keep what they began with:
  // OpenSSL counts who uses a context.
  boost::asio::ssl::context& for_new_connection();

 private:
  struct Stamps {
    FileStamp certificate, key;
    bool operator==(const Stamps& other) const = default;
  };
  Stamps stamps() const;

  const TlsConfig& files_;
  Stamps seen_;
  boost::asio::ssl::context context_;
};

}  // namespace ferry
