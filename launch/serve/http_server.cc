#include "launch/serve/http_server.h"

#include <spdlog/spdlog.h>

#include "core/base/error.h"
#include "launch/serve/random_id.h"
#include "launch/serve/replies.h"

namespace ferry {

namespace {

constexpr const char* kBadRequest = "invalid_request_error";

tcp::endpoint endpoint_of(const HostPort& address) {
  asio::io_context io;
  tcp::resolver resolver(io);
  error_code failed;
  const auto found = resolver.resolve(address.host, std::to_string(address.port), tcp::resolver::passive, failed);
  if (failed) throw Error(str("router.listen: ", address.host, " is no address of this host: ", failed.message()));
  return found.begin()->endpoint();
}

// What a request that could not be read is answered with; nullopt: nobody is there to be answered.
std::optional<ApiError> answer_to(const error_code& failed) {
  if (failed == http::error::body_limit) return too_large("the body is larger than this server takes");
  if (failed == http::error::header_limit)
    return ApiError{.status = 431, .message = "the header is larger than this server takes", .type = kBadRequest};
  if (failed == beast::error::timeout)
    return ApiError{.status = 408, .message = "the request did not come in time", .type = kBadRequest};
  if (failed.category() == http::make_error_code(http::error::bad_version).category() &&
      failed != http::error::end_of_stream && failed != http::error::partial_message)
    return bad_request(str("this is no HTTP request: ", failed.message()));
  return std::nullopt;
}

}  // namespace

HttpServer::HttpServer(asio::io_context& io, const HostPort& address, const HttpLimits& limits, Handler handler)
    : io_(io), limits_(limits), handler_(std::move(handler)), acceptor_(io) {
  const tcp::endpoint endpoint = endpoint_of(address);
  error_code failed;
  acceptor_.open(endpoint.protocol(), failed);
  acceptor_.set_option(tcp::acceptor::reuse_address(true), failed);
  acceptor_.bind(endpoint, failed);
  if (!failed) acceptor_.listen(tcp::acceptor::max_listen_connections, failed);
  if (failed) {
    throw Error(str("cannot listen on ", address.text(), " (router.listen): ", failed.message(),
                    ". Is another router running? Set another port, or 0 for any"));
  }
  asio::co_spawn(io_, accept(), asio::detached);
}

void HttpServer::stop_accepting() {
  error_code ignored;
  acceptor_.close(ignored);
}

void HttpServer::close_all() {
  for (beast::tcp_stream* stream : std::set(connections_)) stream->close();
}

asio::awaitable<void> HttpServer::accept() {
  while (acceptor_.is_open()) {
    error_code failed;
    tcp::socket socket = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, failed));
    if (failed == asio::error::operation_aborted) co_return;
    if (failed) {  // no file descriptors left, say: others have to end first
      spdlog::warn("cannot accept a connection: {}", failed.message());
      asio::steady_timer pause(io_, std::chrono::milliseconds(100));
      co_await pause.async_wait(asio::use_awaitable);
      continue;
    }
    asio::co_spawn(io_, serve(std::move(socket)), asio::detached);
  }
}

asio::awaitable<void> HttpServer::serve(tcp::socket socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  beast::tcp_stream stream(std::move(socket));
  connections_.insert(&stream);
  try {
    beast::flat_buffer buffer;
    for (bool first = true; co_await exchange(stream, buffer, first); first = false) continue;
    stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
  } catch (const boost::system::system_error&) {
    // the client is gone
  }
  connections_.erase(&stream);
}

// True: the connection stays for another.
asio::awaitable<bool> HttpServer::exchange(beast::tcp_stream& stream, beast::flat_buffer& buffer, bool first) {
  http::request_parser<http::string_body> parser;
  parser.header_limit(limits_.header_bytes);
  parser.body_limit(limits_.body_bytes);
  error_code failed;
  stream.expires_after(first ? limits_.header : limits_.idle);
  co_await http::async_read_header(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, failed));
  if (!failed && beast::iequals(parser.get()[http::field::expect], "100-continue")) {
    http::response<http::empty_body> go_on(http::status::continue_, parser.get().version());
    co_await http::async_write(stream, go_on, asio::use_awaitable);
  }
  stream.expires_after(limits_.body);
  if (!failed) co_await http::async_read(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, failed));
  stream.expires_never();

  const HttpRequest request = parser.release();
  Exchange exchange(stream, request, random_id("req"), limits_.write);
  if (failed) {
    const auto error = answer_to(failed);
    if (!error || (failed == beast::error::timeout && request.method() == http::verb::unknown)) co_return false;
    exchange.close_after();
    co_await exchange.reply(reply_of(*error));
    co_return false;
  }
  if (n_connections() > limits_.connections) {
    exchange.close_after();
    co_await exchange.reply(reply_of(unavailable("too many connections")));
    co_return false;
  }
  co_await answer(exchange);
  co_return exchange.keeps_alive();
}

asio::awaitable<void> HttpServer::answer(Exchange& exchange) {
  std::string why = "the handler gave no answer";
  ++n_busy_;
  const std::unique_ptr<int, void (*)(int*)> busy(&n_busy_, [](int* n) { --*n; });
  try {
    co_await handler_(exchange);
  } catch (const Error& e) {
    why = e.what();
  }
  if (exchange.client_gone()) exchange.close_after();
  if (exchange.status() != 0 || exchange.client_gone()) co_return;
  spdlog::error("{} {}: {}", exchange.id(), exchange.path(), why);
  co_await exchange.reply(reply_of(internal_error(why)));
}

}  // namespace ferry
