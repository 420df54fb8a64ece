#pragma once
// What the router answers over HTTP: the API, and what operators ask.

#include "launch/serve/completions.h"
#include "launch/serve/readiness.h"

namespace ferry {

class Service {
 public:
  // The gateway outlives it. Error when the file of keys is not as it has to be.
  explicit Service(Gateway& gateway);

  // Whose request this is, known from its header alone; or the answer to somebody who is not let in.
  std::variant<Caller, HttpReply> identify(const HttpHeader& header, const asio::ip::address& peer);
  asio::awaitable<void> answer(Exchange& exchange);

 private:
  using Handler = asio::awaitable<void> (Service::*)(Exchange& exchange);
  struct Route {
    http::verb method;
    std::string_view path;  // with '*' at its end: whatever follows
    Handler handler;
  };
  static const Route* find(http::verb method, std::string_view path);
  static bool known(std::string_view path);

  asio::awaitable<void> chat(Exchange& exchange);
  asio::awaitable<void> text(Exchange& exchange);
  asio::awaitable<void> models(Exchange& exchange);
  asio::awaitable<void> model(Exchange& exchange);
  asio::awaitable<void> tokenize(Exchange& exchange);
  asio::awaitable<void> detokenize(Exchange& exchange);
  asio::awaitable<void> openapi(Exchange& exchange);
  asio::awaitable<void> health(Exchange& exchange);
  asio::awaitable<void> ready(Exchange& exchange);
  asio::awaitable<void> metrics(Exchange& exchange);
  asio::awaitable<void> page(Exchange& exchange);
  asio::awaitable<void> cluster(Exchange& exchange);
  asio::awaitable<void> requests(Exchange& exchange);
  asio::awaitable<void> request(Exchange& exchange);
  asio::awaitable<void> groups(Exchange& exchange);
  asio::awaitable<void> drain(Exchange& exchange);
  CompletionSite site() {
    return {.gateway = gateway_, .rules = rules_, .gate = gate_, .log = log_, .spans = spans_, .helpers = helpers_};
  }

  Gateway& gateway_;
  const ApiRules rules_;
  Gate gate_;
  const int64_t started_;  // Unix time, in seconds
  RequestLog log_;
  SpanFile spans_;
  Readiness readiness_;
  asio::thread_pool helpers_{1};
};

}  // namespace ferry
