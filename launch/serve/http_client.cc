#include "launch/serve/http_client.h"

#include <boost/asio/ssl.hpp>
#include <boost/beast/ssl.hpp>
#include <chrono>
#include <exception>
#include <optional>

#include "core/base/error.h"
#include "core/base/quoted.h"
#include "launch/serve/asio.h"
#include "launch/version.h"

namespace ferry {

namespace {

constexpr auto kPatience = std::chrono::seconds(5);
constexpr uint64_t kMostBytes = 64 << 20;

using Question = http::request<http::string_body>;
using Response = http::response<http::string_body>;

template <class Stream>
asio::awaitable<Response> answer_over(Stream& stream, const Question& question) {
  co_await http::async_write(stream, question, asio::use_awaitable);
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(kMostBytes);
  co_await http::async_read(stream, buffer, parser, asio::use_awaitable);
  co_return parser.release();
}

asio::awaitable<Response> ask(tcp::resolver::results_type where, Question question, asio::ssl::context* tls) {
  beast::tcp_stream stream(co_await asio::this_coro::executor);
  stream.expires_after(kPatience);
  co_await stream.async_connect(where, asio::use_awaitable);
  if (!tls) co_return co_await answer_over(stream, question);
  beast::ssl_stream<beast::tcp_stream&> safe(stream, *tls);
  const std::string host(where.begin()->host_name());
  SSL_set_tlsext_host_name(safe.native_handle(), host.c_str());
  safe.set_verify_callback(asio::ssl::host_name_verification(host));
  co_await safe.async_handshake(asio::ssl::stream_base::client, asio::use_awaitable);
  co_return co_await answer_over(safe, question);
}

asio::ssl::context tls_of(const RouterAddress& address) {
  asio::ssl::context tls(asio::ssl::context::tls_client);
  tls.set_verify_mode(asio::ssl::verify_peer);
  error_code failed;
  if (address.ca.empty()) {
    tls.set_default_verify_paths(failed);
  } else {
    tls.load_verify_file(address.ca, failed);
  }
  if (failed) throw Error(str("cannot use the certificates in ", address.ca, " (--ca): ", failed.message()));
  return tls;
}

Response answer_to(const Question& question, const std::string& host, const std::string& port,
                   asio::ssl::context* tls) {
  asio::io_context io(1);
  Response response;
  std::exception_ptr failed;
  const auto where = tcp::resolver(io).resolve(host, port);
  asio::co_spawn(io, ask(where, question, tls), [&](const std::exception_ptr& error, Response answer) {
    failed = error;
    response = std::move(answer);
  });
  io.run();
  if (failed) std::rethrow_exception(failed);
  return response;
}

}  // namespace

HttpClient::HttpClient(RouterAddress address) : address_(std::move(address)) {
  std::string& url = address_.url;
  while (url.ends_with('/')) url.pop_back();
  tls_ = url.starts_with("https://");
  const bool has_scheme = tls_ || url.starts_with("http://");
  const std::string rest = has_scheme ? url.substr(url.find("//") + 2) : std::string();
  const size_t colon = rest.rfind(':');
  host_ = rest.substr(0, colon);
  if (host_.starts_with('[') && host_.ends_with(']')) host_ = host_.substr(1, host_.size() - 2);  // IPv6
  port_ = colon != std::string::npos ? rest.substr(colon + 1) : tls_ ? "443" : "80";
  const bool is_port = !port_.empty() && port_.find_first_not_of("0123456789") == std::string::npos;
  if (host_.empty() || !is_port || rest.find('/') != std::string::npos)
    throw Error(str(quoted(url), " is no address of a router; one is http://127.0.0.1:8000"));
}

HttpAnswer HttpClient::get(const std::string& path) const { return ask(path, {}); }

HttpAnswer HttpClient::post(const std::string& path, std::string json) const { return ask(path, std::move(json)); }

HttpAnswer HttpClient::ask(const std::string& path, std::string json) const {
  Question question(json.empty() ? http::verb::get : http::verb::post, path, 11);
  const bool is_v6 = host_.find(':') != std::string::npos;
  question.set(http::field::host, (is_v6 ? "[" + host_ + "]" : host_) + ":" + port_);
  question.set(http::field::user_agent, "ferry/" + version());
  question.set(http::field::connection, "close");
  if (!address_.key.empty()) question.set(http::field::authorization, "Bearer " + address_.key);
  if (!json.empty()) {
    question.set(http::field::content_type, "application/json");
    question.body() = std::move(json);
    question.prepare_payload();
  }
  std::optional<asio::ssl::context> tls;
  if (tls_) tls.emplace(tls_of(address_));
  try {
    Response response = answer_to(question, host_, port_, tls ? &*tls : nullptr);
    return {.status = static_cast<int>(response.result_int()), .body = std::move(response.body())};
  } catch (const boost::system::system_error& e) {
    const char* hint = tls_ ? ". Does `ferry up` run there? Is its certificate signed by whom --ca names?"
                            : ". Does `ferry up` run there? --router URL asks another one";
    throw Error(str("no router answers at ", address_.url, ": ", e.code().message(), hint));
  }
}

}  // namespace ferry
