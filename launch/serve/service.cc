#include "launch/serve/service.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "launch/api/admin_calls.h"
#include "launch/api/model_list.h"
#include "launch/api/openapi.h"
#include "launch/api/token_calls.h"
#include "launch/io/result_json.h"
#include "launch/runtime/metrics.h"
#include "launch/serve/cluster_snapshot.h"
#include "launch/serve/http_rules.h"
#include "launch/serve/page.h"
#include "launch/serve/replies.h"

namespace ferry {

namespace {

ApiRules rules_of(const ClusterRouter& cluster) {
  const int longest = cluster.file().config.max_context;
  const LimitsConfig& limits = cluster.config().router.limits;
  return {.model = cluster.config().model.stem().string(),
          .max_context = std::min(cluster.config().max_context.value_or(longest), longest),
          .most_choices = limits.choices,
          .most_prompt_tokens = limits.prompt_tokens.value_or(longest),
          .most_stops = static_cast<size_t>(limits.stops),
          .most_stop_bytes = limits.stop_bytes};
}

HttpReply reply_of_call(std::variant<std::string, ApiError> answer) {
  if (auto* error = std::get_if<ApiError>(&answer)) return reply_of(*error);
  return HttpReply(std::move(std::get<std::string>(answer)));
}

bool matches(std::string_view pattern, std::string_view path) {
  if (!pattern.ends_with('*')) return path == pattern;
  pattern.remove_suffix(1);
  return path.starts_with(pattern) && path.size() > pattern.size();
}

// For a program that asks for data, a browser's question for a password is an odd answer.
std::string challenge_for(const HttpHeader& header) {
  const bool is_browser = std_view(header[http::field::accept]).find("text/html") != std::string_view::npos;
  return is_browser ? "Basic realm=\"ferry: any name, an API key as password\"" : "Bearer";
}

RequestLog::Visible visible_to(const Caller& caller) {
  return [&caller](const RequestRecord& record) { return caller.may_see(record.key); };
}

std::string last_of(std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }

}  // namespace

Service::Service(Gateway& gateway)
    : gateway_(gateway),
      rules_(rules_of(gateway.cluster())),
      gate_(gateway.cluster().config().router),
      started_(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())),
      spans_(gateway.cluster().config().router.spans.string(), rules_.model),
      readiness_(gateway) {}

const Service::Route* Service::find(http::verb method, std::string_view path) {
  static constexpr std::array kRoutes = {
      Route{http::verb::post, "/v1/chat/completions", &Service::chat},
      Route{http::verb::post, "/v1/completions", &Service::text},
      Route{http::verb::get, "/v1/models", &Service::models},
      Route{http::verb::get, "/v1/models/*", &Service::model},
      Route{http::verb::post, "/tokenize", &Service::tokenize},
      Route{http::verb::post, "/detokenize", &Service::detokenize},
      Route{http::verb::get, "/openapi.json", &Service::openapi},
      Route{http::verb::get, "/health", &Service::health},
      Route{http::verb::get, "/ready", &Service::ready},
      Route{http::verb::get, "/metrics", &Service::metrics},
      Route{http::verb::get, "/", &Service::page},
      Route{http::verb::get, "/debug/cluster", &Service::cluster},
      Route{http::verb::get, "/debug/requests", &Service::requests},
      Route{http::verb::get, "/debug/requests/*", &Service::request},
      Route{http::verb::get, "/admin/groups", &Service::groups},
      Route{http::verb::post, "/admin/drain", &Service::drain},
  };
  if (method == http::verb::head) method = http::verb::get;
  const auto found = std::find_if(kRoutes.begin(), kRoutes.end(),
                                  [&](const Route& r) { return r.method == method && matches(r.path, path); });
  return found == kRoutes.end() ? nullptr : &*found;
}

bool Service::known(std::string_view path) { return find(http::verb::get, path) || find(http::verb::post, path); }

std::variant<Caller, HttpReply> Service::identify(const HttpHeader& header, const asio::ip::address& peer) {
  const std::string path = path_of(header);
  // The one says nothing but that the process lives, the other nothing at all until it is given a key.
  if (path == "/health" || path == "/") return Caller{};
  auto caller = gate_.identify(std_view(header[http::field::authorization]));
  if (auto* known = std::get_if<Caller>(&caller)) {
    const Origin origin = peer.is_loopback() && !is_passed_on(header) ? Origin::this_host : Origin::elsewhere;
    const auto objection = path.starts_with("/admin/") ? gate_.objection_to_admin(*known, origin) : std::nullopt;
    if (objection) return reply_of(*objection);
    return std::move(*known);
  }
  HttpReply reply = reply_of(std::get<ApiError>(caller));
  reply.fields.emplace_back("WWW-Authenticate", challenge_for(header));
  return reply;
}

asio::awaitable<void> Service::answer(Exchange& exchange) {
  const http::verb method = exchange.request().method();
  const std::string_view path = exchange.path();
  const Route* route = find(method, path);
  if (const auto objection =
          route && method == http::verb::post ? objection_to_type(exchange.request()) : std::nullopt) {
    co_await exchange.reply(reply_of(*objection));
  } else if (route) {
    co_await (this->*route->handler)(exchange);
  } else if (known(path)) {
    HttpReply reply = reply_of(method_not_allowed(std_view(exchange.request().method_string()), path));
    reply.fields.emplace_back("Allow", find(http::verb::get, path) ? "GET, HEAD" : "POST");
    co_await exchange.reply(std::move(reply));
  } else {
    co_await exchange.reply(reply_of(not_found(path)));
  }
}

// ---- the API

asio::awaitable<void> Service::chat(Exchange& exchange) { return complete(Endpoint::chat, exchange, site()); }
asio::awaitable<void> Service::text(Exchange& exchange) { return complete(Endpoint::text, exchange, site()); }

asio::awaitable<void> Service::models(Exchange& exchange) {
  return exchange.reply(HttpReply(model_list(rules_, started_)));
}

asio::awaitable<void> Service::model(Exchange& exchange) {
  return exchange.reply(reply_of_call(model_entry(last_of(exchange.path()), rules_, started_)));
}

asio::awaitable<void> Service::tokenize(Exchange& exchange) {
  return exchange.reply(reply_of_call(ferry::tokenize(exchange.request().body(), gateway_.cluster().text(), rules_)));
}

asio::awaitable<void> Service::detokenize(Exchange& exchange) {
  return exchange.reply(reply_of_call(ferry::detokenize(exchange.request().body(), gateway_.cluster().text(), rules_)));
}

asio::awaitable<void> Service::openapi(Exchange& exchange) {
  return exchange.reply(HttpReply(std::string(openapi_document())));
}

// ---- for operators

asio::awaitable<void> Service::health(Exchange& exchange) { return exchange.reply(HttpReply(R"({"status":"ok"})")); }

asio::awaitable<void> Service::ready(Exchange& exchange) {
  Bell bell(co_await asio::this_coro::executor);
  exchange.watch([&bell] { bell.ring(); });
  const auto why_not = co_await readiness_.find_out(bell);
  if (exchange.client_gone()) co_return;
  if (why_not) {
    co_await exchange.reply(reply_of(unavailable("not ready: " + *why_not)));
  } else {
    co_await exchange.reply(HttpReply(R"({"status":"ready"})"));
  }
}

asio::awaitable<void> Service::metrics(Exchange& exchange) {
  HttpReply reply(metrics_text(gateway_.cluster().router()) + gateway_.traffic().text() + gate_.metrics_text());
  reply.type = "text/plain; version=0.0.4; charset=utf-8";
  return exchange.reply(std::move(reply));
}

asio::awaitable<void> Service::page(Exchange& exchange) {
  HttpReply reply{std::string(page_html())};
  reply.type = "text/html; charset=utf-8";
  reply.fields.emplace_back("Content-Security-Policy", page_policy());
  return exchange.reply(std::move(reply));
}

asio::awaitable<void> Service::cluster(Exchange& exchange) {
  return exchange.reply(HttpReply(cluster_snapshot(gateway_, log_, visible_to(exchange.caller()))));
}

asio::awaitable<void> Service::requests(Exchange& exchange) {
  constexpr size_t kLatest = 100;
  return exchange.reply(HttpReply(text_of(log_.latest(kLatest, visible_to(exchange.caller())))));
}

asio::awaitable<void> Service::request(Exchange& exchange) {
  const RequestRecord* record = log_.find(last_of(exchange.path()));
  // That another key has had such a request is nobody's business either.
  if (!record || !exchange.caller().may_see(record->key)) return exchange.reply(reply_of(not_found(exchange.path())));
  return exchange.reply(HttpReply(text_of(json_of(*record))));
}

asio::awaitable<void> Service::groups(Exchange& exchange) {
  return exchange.reply(HttpReply(group_list(gateway_.cluster().router().groups())));
}

asio::awaitable<void> Service::drain(Exchange& exchange) {
  auto call = parse_drain(exchange.request().body());
  if (const auto* error = std::get_if<ApiError>(&call)) return exchange.reply(reply_of(*error));
  const auto& [group, undo] = std::get<DrainCall>(call);
  const bool is_here = gateway_.drain(group, !undo);
  const auto groups = gateway_.cluster().router().groups();
  if (!is_here) return exchange.reply(reply_of(no_such_group(group, groups)));
  const std::string& key = exchange.caller().key;
  spdlog::info("group {}: {}{}{}", group, undo ? "gets requests again" : "is drained", key.empty() ? "" : ", says ",
               key);
  return exchange.reply(HttpReply(drain_answer(group, groups)));
}

}  // namespace ferry
