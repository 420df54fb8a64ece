#pragma once
// TLS for those who listen: certificates and keys from files.

#include <boost/asio/ssl/context.hpp>
#include <string>

#include "launch/config/cluster_config.h"

namespace ferry {

// For HTTP: TLS 1.2 and newer. Error when a file cannot be used.
boost::asio::ssl::context tls_for_clients(const TlsConfig& files);

// A private key in PEM. Error when others than its owner and group can read it.
std::string read_private_key(const std::filesystem::path& file);
std::string read_certificate(const std::filesystem::path& file);

}  // namespace ferry
