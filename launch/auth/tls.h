#pragma once
// TLS from files: for those who listen, and for both ends of control streams.

#include <boost/asio/ssl/context.hpp>

#include "launch/config/cluster_config.h"
#include "transport/control/control_security.h"

namespace ferry {

// For HTTP: TLS 1.2 and newer. Error when a file cannot be used, or others than its owner and group can read the key.
// Connections keep the context that they began with: OpenSSL counts who uses it.
boost::asio::ssl::context tls_for_clients(const TlsConfig& files);

// For the control port, and those who dial it. Error as above, and when gRPC could not use a file.
ControlTls tls_for_leaders(const ControlTlsConfig& files);

}  // namespace ferry
