#include "launch/bench/load_client.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "core/base/error.h"

namespace ferry {

namespace {

constexpr auto kPatience = std::chrono::minutes(2);  // between two pieces
constexpr uint64_t kMostAnswerBytes = uint64_t{1} << 32;

Instant now() { return std::chrono::steady_clock::now(); }

// One event's payload becomes part of the record.
void note(std::string_view payload, Instant at, StreamRecord& record) {
  if (payload == "[DONE]") return;
  const auto event = nlohmann::json::parse(payload, nullptr, false);
  if (event.is_discarded()) {
    record.error = "an event is no JSON";
  } else if (event.contains("error")) {
    record.error = event["error"].value("message", "an error without a message");
  } else if (event.contains("usage") && event["usage"].is_object()) {
    record.n_tokens = event["usage"].value("completion_tokens", 0);
  } else if (event.contains("choices") && !event["choices"].empty()) {
    const auto text = event["choices"][0].value("text", std::string());
    if (!text.empty()) record.pieces.push_back({.at = at, .n_bytes = static_cast<int>(text.size())});
  }
}

http::request<http::string_body> request_to(const HostPort& server, const std::string& authorization,
                                            const std::string& body) {
  http::request<http::string_body> request(http::verb::post, "/v1/completions", 11);
  request.set(http::field::host, server.text());
  if (!authorization.empty()) request.set(http::field::authorization, authorization);
  request.set(http::field::content_type, "application/json");
  request.body() = body;
  request.prepare_payload();
  return request;
}

}  // namespace

HostPort host_of(const std::string& url) {
  constexpr std::string_view kScheme = "http://";
  const Error wrong(url + " is no address; write http://host:port");
  if (!url.starts_with(kScheme)) throw wrong;
  const std::string rest = url.substr(kScheme.size(), url.find('/', kScheme.size()) - kScheme.size());
  const size_t colon = rest.rfind(':');
  HostPort found = {.host = rest.substr(0, colon), .port = 80};
  if (colon != std::string::npos) {
    const char* end = rest.data() + rest.size();
    const auto [stop, failed] = std::from_chars(rest.data() + colon + 1, end, found.port);
    if (failed != std::errc() || stop != end || found.port < 1 || found.port > 65535) throw wrong;
  }
  if (found.host.empty()) throw wrong;
  return found;
}

std::optional<std::string_view> EventReader::next() {
  const size_t end = text_.find("\n\n", begin_);
  if (end == std::string::npos) {
    text_.erase(0, begin_);
    begin_ = 0;
    return std::nullopt;
  }
  std::string_view event(text_.data() + begin_, end - begin_);
  begin_ = end + 2;
  constexpr std::string_view kData = "data: ";
  event.remove_prefix(event.starts_with(kData) ? kData.size() : event.size());
  return event;
}

struct LoadClient::Connection {
  explicit Connection(asio::io_context& io) : stream(io) {}
  beast::tcp_stream stream;
  beast::flat_buffer buffer;
  bool used = false;
  bool kept = false;  // for another request
};

LoadClient::LoadClient(asio::io_context& io, const std::string& url, const std::string& key)
    : io_(io), server_(host_of(url)), authorization_(key.empty() ? key : "Bearer " + key) {
  tcp::resolver resolver(io);
  error_code failed;
  const auto found = resolver.resolve(server_.host, std::to_string(server_.port), failed);
  if (failed) throw Error(str(url, ": ", failed.message()));
  endpoint_ = found.begin()->endpoint();
}

LoadClient::~LoadClient() = default;

asio::awaitable<std::unique_ptr<LoadClient::Connection>> LoadClient::connect() {
  if (!idle_.empty()) {
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    co_return connection;
  }
  auto connection = std::make_unique<Connection>(io_);
  connection->stream.expires_after(kPatience);
  co_await connection->stream.async_connect(endpoint_, asio::use_awaitable);
  connection->stream.socket().set_option(tcp::no_delay(true));
  co_return connection;
}

asio::awaitable<void> LoadClient::ask(std::string body, StreamRecord& record) {
  most_open_ = std::max(most_open_, ++n_open_);
  record.begun = now();
  for (bool again = true; again;) {
    again = false;
    std::unique_ptr<Connection> connection;
    try {
      connection = co_await connect();
      co_await exchange(*connection, body, record);
      if (connection->kept) idle_.push_back(std::move(connection));
    } catch (const boost::system::system_error& e) {
      record.error = e.code().message();
      // One that was kept may have been closed meanwhile: that says nothing of this request.
      again = connection && connection->used && record.status == 0;
      if (again) record.error.clear();
    }
  }
  record.ended = now();
  --n_open_;
}

asio::awaitable<void> LoadClient::exchange(Connection& connection, const std::string& body, StreamRecord& record) {
  beast::tcp_stream& stream = connection.stream;
  stream.expires_after(kPatience);
  const auto request = request_to(server_, authorization_, body);
  co_await http::async_write(stream, request, asio::use_awaitable);
  http::response_parser<http::string_body> parser;
  parser.body_limit(kMostAnswerBytes);
  co_await http::async_read_header(stream, connection.buffer, parser, asio::use_awaitable);
  record.status = parser.get().result_int();
  const bool streams = record.status == 200;
  EventReader events;
  while (!parser.is_done()) {
    stream.expires_after(kPatience);
    co_await http::async_read_some(stream, connection.buffer, parser, asio::use_awaitable);
    if (!streams) continue;  // the body grows, and says why not
    const Instant at = now();
    events.append(parser.get().body());
    parser.get().body().clear();
    while (const auto payload = events.next()) note(*payload, at, record);
  }
  if (!streams) record.error = "HTTP " + std::to_string(record.status);
  if (record.status == 401) record.error += ": the server wants an API key, or another one";
  if (streams && record.error.empty() && record.n_tokens == 0) record.error = "the stream ended early";
  connection.used = true;
  connection.kept = parser.keep_alive();
  stream.expires_never();
}

}  // namespace ferry
