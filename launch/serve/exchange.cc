#include "launch/serve/exchange.h"

#include <fmt/format.h>
#include <poll.h>

#include "launch/observe/random_id.h"
#include "launch/serve/http_rules.h"
#include "launch/version.h"

namespace ferry {

namespace {

constexpr auto kLookAgain = std::chrono::milliseconds(100);

bool ended(tcp::socket& socket) {
  pollfd end = {.fd = socket.native_handle(), .events = POLLRDHUP, .revents = 0};
  return poll(&end, 1, 0) > 0;
}

// `watched` is emptied before the socket is gone.
void wait_for_end(tcp::socket& socket, const std::shared_ptr<std::function<void()>>& watched) {
  socket.async_wait(tcp::socket::wait_read, [watched, &socket](error_code failed) {
    if (!*watched) return;
    if (failed || ended(socket)) return std::exchange(*watched, {})();  // failed: this end was closed
    // What is readable is the next request, or what TLS says before the end: it stays so, and nothing will tell.
    auto pause = std::make_shared<asio::steady_timer>(socket.get_executor(), kLookAgain);
    pause->async_wait([watched, &socket, pause](error_code) {
      if (*watched) wait_for_end(socket, watched);
    });
  });
}

// A traceparent that is there twice is none; a tracestate may be given in parts.
TraceContext trace_of(const HttpRequest& request) {
  if (request.count("traceparent") != 1) return ferry::trace_of({}, {});
  std::string state;
  const auto [begin, end] = request.equal_range("tracestate");
  for (auto part = begin; part != end; ++part) state += (state.empty() ? "" : ",") + std::string(part->value());
  return ferry::trace_of(std_view(request["traceparent"]), state);
}

}  // namespace

Exchange::Exchange(WebStream& stream, const HttpRequest& request, asio::steady_timer::duration patience)
    : stream_(stream),
      request_(request),
      id_(random_id("req")),
      path_(path_of(request)),
      trace_(trace_of(request)),
      patience_(patience),
      keeps_alive_(request.keep_alive()),
      chunked_(request.version() >= 11) {}

Exchange::~Exchange() {
  if (!gone_) return;
  *gone_ = {};
  error_code ignored;
  stream_.socket().cancel(ignored);  // only the watch is left
}

template <class Body>
void Exchange::fill_header(http::response<Body>& response, std::string_view type) {
  response.version(request_.version());
  response.set(http::field::server, "ferry/" + version());
  response.set(http::field::content_type, beast::string_view(type.data(), type.size()));
  response.set("x-request-id", id_);
  response.set("traceparent", trace_.traceparent());
  if (!trace_.state.empty()) response.set("tracestate", trace_.state);
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

// The kernel nearly always has room for an event, and takes it without a timer, a wait and a turn of the loop.
asio::awaitable<void> Exchange::write_events(std::string_view text) {
  if (text.empty()) co_return;
  const std::string bytes = chunked_ ? fmt::format("{:x}\r\n{}\r\n", text.size(), text) : std::string(text);
  const size_t n_sent = stream_.send_at_once(bytes);
  if (n_sent == bytes.size()) co_return;
  stream_.expires_after(patience_);
  co_await asio::async_write(stream_, asio::buffer(bytes) + n_sent, asio::use_awaitable);
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
  wait_for_end(stream_.socket(), gone_);
}

}  // namespace ferry
