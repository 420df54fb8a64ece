#pragma once
// One HTTP request and its answer, as a handler sees it: whole, or as a stream of server-sent events.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "launch/auth/gate.h"
#include "launch/observe/trace_context.h"
#include "launch/serve/web_stream.h"

namespace ferry {

using HttpHeader = http::request_header<>;
using HttpRequest = http::request<http::string_body>;

// No aggregate: gcc 12 destroys one that is made inside a co_await expression twice.
struct HttpReply {
  explicit HttpReply(std::string the_body, int the_status = 200) : status(the_status), body(std::move(the_body)) {}

  int status;
  std::string body;
  std::string_view type = "application/json";
  std::vector<std::pair<std::string, std::string>> fields;
};

class Exchange {
 public:
  // Both outlive it. `patience`: with a client that does not read.
  Exchange(WebStream& stream, const HttpRequest& request, asio::steady_timer::duration patience);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  const HttpRequest& request() const { return request_; }
  const std::string& path() const { return path_; }  // without the query
  void identify(Caller caller) { caller_ = std::move(caller); }
  const Caller& caller() const { return caller_; }
  const std::string& id() const { return id_; }  // x-request-id
  const TraceContext& trace() const { return trace_; }
  int status() const { return status_; }             // that was answered; 0: nothing yet
  bool keeps_alive() const { return keeps_alive_; }  // after the answer
  void close_after() { keeps_alive_ = false; }

  // One of the two. A client that is gone or does not read is a system_error.
  asio::awaitable<void> reply(HttpReply reply);
  asio::awaitable<void> begin_events();
  asio::awaitable<void> write_events(std::string_view text);
  asio::awaitable<void> end_events();

  // Calls `gone` at most once, when the client closes its end before the exchange is over.
  void watch(std::function<void()> gone);
  bool client_gone() const { return gone_ && !*gone_; }  // as far as it was watched

 private:
  template <class Body>
  void fill_header(http::response<Body>& response, std::string_view type);

  WebStream& stream_;
  const HttpRequest& request_;
  const std::string id_;
  const std::string path_;
  const TraceContext trace_;
  Caller caller_;
  const asio::steady_timer::duration patience_;
  int status_ = 0;
  bool keeps_alive_;
  bool chunked_;
  std::shared_ptr<std::function<void()>> gone_;  // empty function: it was called, or nobody wants to know any more
};

}  // namespace ferry
