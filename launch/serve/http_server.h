#pragma once
// HTTP/1.1 over TCP or TLS on one thread: connections, limits and timeouts. What is asked and answered is its
// handler's.

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <variant>

#include "launch/auth/live_files.h"
#include "launch/config/cluster_config.h"
#include "launch/serve/exchange.h"

namespace ferry {

class HttpServer {
 public:
  struct Handlers {
    // Called when a header is there: who is refused need not send a body, and nobody keeps it for him.
    std::function<std::variant<Caller, HttpReply>(const HttpHeader& header, const asio::ip::address& peer)> identify;
    // Called for each request. When it returns without an answer, or throws, the client gets a 500.
    std::function<asio::awaitable<void>(Exchange& exchange)> answer;
  };

  // Error when it cannot listen there. Port 0: any. It outlives the run of `io`, `config` outlives it.
  HttpServer(asio::io_context& io, const RouterConfig& config, Handlers handlers);

  int port() const { return acceptor_.local_endpoint().port(); }
  int n_connections() const { return static_cast<int>(connections_.size()); }
  int n_busy() const;  // requests that are being answered
  void stop_accepting();
  void close_all();  // connections, whatever they are at

 private:
  asio::awaitable<void> accept();
  asio::awaitable<void> pause();
  asio::awaitable<void> serve(tcp::socket socket);
  struct Connection {
    Connection(tcp::socket socket, asio::ssl::context* tls, bool is_welcome)
        : peer(address_of(socket)), stream(std::move(socket), tls), welcome(is_welcome) {}

    const asio::ip::address peer;
    WebStream stream;
    const bool welcome;  // there was room when it came
    beast::flat_buffer buffer;
    bool first = true;  // it has had no request yet
    bool busy = false;  // a request is being answered
  };
  static asio::ip::address address_of(const tcp::socket& socket);  // 0.0.0.0: it is gone already
  using Parser = http::request_parser<http::string_body>;
  asio::awaitable<bool> exchange(Connection& connection);
  asio::awaitable<error_code> read_header(Connection& connection, Parser& parser);
  asio::awaitable<error_code> read_body(Connection& connection, Parser& parser);
  asio::awaitable<void> answer(Exchange& exchange);

  asio::io_context& io_;
  const LimitsConfig& limits_;
  const Handlers handlers_;
  std::optional<LiveFiles<asio::ssl::context>> tls_;
  tcp::acceptor acceptor_;
  std::set<Connection*> connections_;
};

}  // namespace ferry
