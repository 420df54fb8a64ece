#include "launch/serve/http_server.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "core/base/error.h"
#include "launch/auth/tls.h"
#include "launch/io/log.h"
#include "launch/serve/http_rules.h"
#include "launch/serve/replies.h"

namespace ferry {

namespace {

constexpr const char* kBadRequest = "invalid_request_error";
constexpr size_t kFirstRead = 4096;
constexpr int kSendBuffer = 128 << 10;  // what the kernel keeps for a client that does not read; left alone, megabytes
constexpr int kTurnedAway = 64;         // connections over the limit that are told so at a time
constexpr auto kLeaveTaking = std::chrono::seconds(2);

std::chrono::milliseconds ms(int n) { return std::chrono::milliseconds(n); }

// Tokens go out as they come; a host that vanished without a word is noticed while nothing is sent to it, too.
void prepare(tcp::socket& socket) {
  using Seconds = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPIDLE>;
  using Between = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPINTVL>;
  using Times = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPCNT>;
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(tcp::socket::send_buffer_size(kSendBuffer), ignored);
  socket.set_option(tcp::socket::keep_alive(true), ignored);
  socket.set_option(Seconds(30), ignored);
  socket.set_option(Between(10), ignored);
  socket.set_option(Times(3), ignored);
}

tcp::endpoint endpoint_of(const HostPort& address) {
  asio::io_context io;
  tcp::resolver resolver(io);
  error_code failed;
  const auto found = resolver.resolve(address.host, std::to_string(address.port), tcp::resolver::passive, failed);
  if (failed) throw Error(str("router.listen: ", address.host, " is no address of this host: ", failed.message()));
  return found.begin()->endpoint();
}

// What a request that could not be read is answered with; nullopt: nobody is there to be answered,
// or he took too long, which closes the connection.
std::optional<ApiError> answer_to(const error_code& failed) {
  if (failed == http::error::body_limit) return too_large("the body is larger than this server takes");
  if (failed == http::error::header_limit)
    return ApiError{.status = 431, .message = "the header is larger than this server takes", .type = kBadRequest};
  if (failed.category() == http::make_error_code(http::error::bad_version).category() &&
      failed != http::error::end_of_stream && failed != http::error::partial_message)
    return bad_request(str("this is no HTTP request: ", failed.message()));
  return std::nullopt;
}

}  // namespace

HttpServer::HttpServer(asio::io_context& io, const RouterConfig& config, Handlers handlers)
    : io_(io), limits_(config.limits), handlers_(std::move(handlers)), acceptor_(io) {
  if (config.tls.given()) {
    const TlsConfig& files = config.tls;
    tls_.emplace("router.tls", std::vector{files.certificate, files.key}, [&files] { return tls_for_clients(files); });
  }
  const HostPort& address = config.listen;
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

asio::ip::address HttpServer::address_of(const tcp::socket& socket) {
  error_code gone;
  return socket.remote_endpoint(gone).address();
}

void HttpServer::stop_accepting() {
  error_code ignored;
  acceptor_.close(ignored);
}

void HttpServer::close_all() {
  for (Connection* connection : std::set(connections_)) connection->stream.close();
}

int HttpServer::n_busy() const { return static_cast<int>(std::ranges::count(connections_, true, &Connection::busy)); }

asio::awaitable<void> HttpServer::accept() {
  while (acceptor_.is_open()) {
    if (n_connections() >= limits_.connections + kTurnedAway) {
      co_await pause();
      continue;
    }
    error_code failed;
    tcp::socket socket = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, failed));
    if (failed == asio::error::operation_aborted) co_return;
    if (failed) {  // no file descriptors left, say: others have to end first
      spdlog::warn("cannot accept a connection: {}", failed.message());
      co_await pause();
      continue;
    }
    asio::co_spawn(io_, serve(std::move(socket)), asio::detached);
  }
}

asio::awaitable<void> HttpServer::pause() {
  asio::steady_timer timer(io_, std::chrono::milliseconds(100));
  co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> HttpServer::serve(tcp::socket socket) {
  prepare(socket);
  asio::ssl::context* const tls = tls_ ? &tls_->for_new_connection() : nullptr;
  Connection connection(std::move(socket), tls, n_connections() < limits_.connections);
  connections_.insert(&connection);
  try {
    connection.stream.expires_after(ms(limits_.header_ms));
    co_await connection.stream.open();
    while (co_await exchange(connection)) connection.first = false;
    co_await connection.stream.close_gently(kLeaveTaking);
  } catch (const boost::system::system_error&) {
    // the client is gone
  }
  connections_.erase(&connection);
}

// True: the connection stays for another.
asio::awaitable<bool> HttpServer::exchange(Connection& connection) {
  Parser parser;
  parser.header_limit(static_cast<uint32_t>(limits_.header_bytes));
  parser.body_limit(limits_.body_bytes);
  error_code failed = co_await read_header(connection, parser);
  std::variant<Caller, HttpReply> caller;
  if (!failed && !connection.welcome) caller = reply_of(unavailable("too many connections"));
  if (!failed && connection.welcome) caller = handlers_.identify(parser.get(), connection.peer);
  const auto objection = failed ? std::nullopt : objection_to(parser.get());
  if (objection) caller = reply_of(*objection);  // where its body ends is not sure
  auto* refusal = std::get_if<HttpReply>(&caller);
  if (!failed && !refusal) failed = co_await read_body(connection, parser);
  connection.stream.expires_never();

  const bool is_whole = parser.is_done();
  const HttpRequest request = parser.release();
  Exchange exchange(connection.stream, request, ms(limits_.write_ms));
  if (failed || objection || !is_whole || !connection.welcome) exchange.close_after();
  if (failed) {
    if (const auto error = answer_to(failed)) co_await exchange.reply(reply_of(*error));
  } else if (refusal) {
    co_await exchange.reply(std::move(*refusal));
  } else {
    exchange.identify(std::move(std::get<Caller>(caller)));
    connection.busy = true;
    co_await answer(exchange);
    connection.busy = false;
  }
  co_return exchange.keeps_alive();
}

// The wait for the first byte of another request is no part of the time that a header may take.
asio::awaitable<error_code> HttpServer::read_header(Connection& connection, Parser& parser) {
  WebStream& stream = connection.stream;
  beast::flat_buffer& buffer = connection.buffer;
  error_code failed;
  if (!connection.first && buffer.size() == 0) {
    stream.expires_after(ms(limits_.idle_ms));
    const auto room = buffer.prepare(kFirstRead);
    const size_t n_read = co_await stream.async_read_some(room, asio::redirect_error(asio::use_awaitable, failed));
    if (failed) co_return failed;
    buffer.commit(n_read);
  }
  stream.expires_after(ms(limits_.header_ms));
  co_await http::async_read_header(stream, buffer, parser, asio::redirect_error(asio::use_awaitable, failed));
  co_return failed;
}

asio::awaitable<error_code> HttpServer::read_body(Connection& connection, Parser& parser) {
  WebStream& stream = connection.stream;
  error_code failed;
  if (asks_to_go_on(parser.get())) {
    http::response<http::empty_body> go_on(http::status::continue_, parser.get().version());
    co_await http::async_write(stream, go_on, asio::redirect_error(asio::use_awaitable, failed));
    if (failed) co_return failed;
  }
  stream.expires_after(ms(limits_.body_ms));
  co_await http::async_read(stream, connection.buffer, parser, asio::redirect_error(asio::use_awaitable, failed));
  co_return failed;
}

asio::awaitable<void> HttpServer::answer(Exchange& exchange) {
  std::string why = "the handler gave no answer";
  try {
    co_await handlers_.answer(exchange);
  } catch (const Error& e) {
    why = e.what();
  }
  if (exchange.client_gone()) exchange.close_after();
  if (exchange.status() != 0 || exchange.client_gone()) co_return;
  spdlog::error("{}", with_fields("request not answered: " + why, {{"id", exchange.id()},
                                                                   {"trace", exchange.trace().trace_id},
                                                                   {"key", exchange.caller().key},
                                                                   {"endpoint", exchange.path()}}));
  co_await exchange.reply(reply_of(internal_error(why)));
}

}  // namespace ferry
