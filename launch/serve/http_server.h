#pragma once
// HTTP/1.1 over TCP on one thread: connections, limits and timeouts. What is asked and answered is its handler's.

#include <functional>
#include <memory>
#include <set>

#include "launch/config/cluster_config.h"
#include "launch/serve/exchange.h"

namespace ferry {

struct HttpLimits {
  uint32_t header_bytes = 16 << 10;
  uint64_t body_bytes = 8 << 20;
  int connections = 16384;
  // With a client that takes its time: over a header (which includes the wait for its beginning), over a body, with the
  // next request, with what it is sent.
  std::chrono::seconds header{10}, body{60}, idle{75}, write{30};
};

class HttpServer {
 public:
  // Called for each request. When it returns without an answer, or throws, the client gets a 500.
  using Handler = std::function<asio::awaitable<void>(Exchange& exchange)>;

  // Error when it cannot listen there. Port 0: any. It outlives the run of `io`.
  HttpServer(asio::io_context& io, const HostPort& address, const HttpLimits& limits, Handler handler);

  int port() const { return acceptor_.local_endpoint().port(); }
  int n_connections() const { return static_cast<int>(connections_.size()); }
  int n_busy() const { return n_busy_; }  // requests that are being answered
  void stop_accepting();
  void close_all();  // connections, whatever they are at

 private:
  asio::awaitable<void> accept();
  asio::awaitable<void> serve(tcp::socket socket);
  asio::awaitable<bool> exchange(beast::tcp_stream& stream, beast::flat_buffer& buffer, bool first);
  asio::awaitable<void> answer(Exchange& exchange);

  asio::io_context& io_;
  const HttpLimits limits_;
  const Handler handler_;
  tcp::acceptor acceptor_;
  std::set<beast::tcp_stream*> connections_;
  int n_busy_ = 0;
};

}  // namespace ferry
