#include "launch/serve/exchange.h"

#include <sys/socket.h>

#include "launch/version.h"

namespace ferry {

namespace {

bool ended(tcp::socket& socket) {
  char byte = 0;
  const ssize_t n = recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
}

}  // namespace

Exchange::Exchange(beast::tcp_stream& stream, const HttpRequest& request, std::string id,
                   asio::steady_timer::duration patience)
    : stream_(stream),
      request_(request),
      id_(std::move(id)),
      patience_(patience),
      keeps_alive_(request.keep_alive()),
      chunked_(request.version() >= 11) {}

Exchange::~Exchange() {
  if (!gone_) return;
  *gone_ = {};
  error_code ignored;
  stream_.socket().cancel(ignored);  // only the watch is left
}

std::string_view Exchange::path() const {
  const std::string_view target = {request_.target().data(), request_.target().size()};
  return target.substr(0, target.find('?'));
}

template <class Body>
void Exchange::fill_header(http::response<Body>& response, std::string_view type) {
  response.version(request_.version());
  response.set(http::field::server, "ferry/" + version());
  response.set(http::field::content_type, beast::string_view(type.data(), type.size()));
  response.set("x-request-id", id_);
  response.keep_alive(keeps_alive_);
}

asio::awaitable<void> Exchange::reply(HttpReply reply) {
  status_ = reply.status;
  http::response<http::string_body> response;
  response.result(static_cast<unsigned>(reply.status));
  fill_header(response, reply.type);
  for (const auto& [name, value] : reply.fields) response.set(name, value);
  response.body() = std::move(reply.body);
  response.prepare_payload();
  if (request_.method() == http::verb::head) response.body().clear();  // its length is told all the same
  stream_.expires_after(patience_);
  co_await http::async_write(stream_, response, asio::use_awaitable);
  stream_.expires_never();
}

asio::awaitable<void> Exchange::begin_events() {
  status_ = 200;
  if (!chunked_) keeps_alive_ = false;  // HTTP/1.0: the end of the connection is the end of the answer
  http::response<http::empty_body> response;
  response.result(http::status::ok);
  fill_header(response, "text/event-stream; charset=utf-8");
  response.set(http::field::cache_control, "no-cache");
  response.set("x-accel-buffering", "no");  // proxies pass events on as they come
  response.chunked(chunked_);
  http::response_serializer<http::empty_body> serializer(response);
  stream_.expires_after(patience_);
  co_await http::async_write_header(stream_, serializer, asio::use_awaitable);
  stream_.expires_never();
}

asio::awaitable<void> Exchange::write_events(std::string_view text) {
  if (text.empty()) co_return;
  const auto bytes = asio::buffer(text.data(), text.size());
  stream_.expires_after(patience_);
  if (chunked_) {
    co_await asio::async_write(stream_, http::make_chunk(bytes), asio::use_awaitable);
  } else {
    co_await asio::async_write(stream_, bytes, asio::use_awaitable);
  }
  stream_.expires_never();
}

asio::awaitable<void> Exchange::end_events() {
  if (!chunked_) co_return;
  stream_.expires_after(patience_);
  co_await asio::async_write(stream_, http::make_chunk_last(), asio::use_awaitable);
  stream_.expires_never();
}

void Exchange::watch(std::function<void()> gone) {
  gone_ = std::make_shared<std::function<void()>>(std::move(gone));
  tcp::socket& socket = stream_.socket();
  socket.async_wait(tcp::socket::wait_read, [watched = gone_, &socket](error_code failed) {
    // What is readable may be the next request: then nothing more can be seen of the client's end. An error: this end
    // was closed.
    if (*watched && (failed || ended(socket))) std::exchange(*watched, {})();
  });
}

}  // namespace ferry
