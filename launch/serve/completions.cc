#include "launch/serve/completions.h"

#include <spdlog/spdlog.h>

#include "launch/io/log.h"
#include "launch/io/result_json.h"
#include "launch/io/unix_time.h"
#include "launch/observe/random_id.h"
#include "launch/serve/bell.h"
#include "launch/serve/replies.h"
#include "launch/version.h"

namespace ferry {

namespace {

constexpr size_t kLongBody = 16 << 10;

AnswerIdentity new_identity(Endpoint endpoint) {
  return {.id = random_id(endpoint == Endpoint::chat ? "chatcmpl" : "cmpl"),
          .created = unix_ms() / 1000,
          .fingerprint = "ferry-" + version()};
}

// A body that was understood: the answer that grows, and what it asks of the router.
struct Asked {
  std::unique_ptr<Answer> answer;
  std::vector<Request> requests;
};

std::variant<Asked, ApiError> understand(Endpoint endpoint, std::string_view body, const CompletionSite& site) {
  auto parsed = parse_completion(endpoint, body, site.rules);
  if (auto* error = std::get_if<ApiError>(&parsed)) return std::move(*error);
  Asked asked = {.answer = std::make_unique<Answer>(std::move(std::get<CompletionRequest>(parsed)),
                                                    site.gateway.cluster().text(), site.rules, new_identity(endpoint)),
                 .requests = {}};
  auto requests = asked.answer->take_requests();
  if (auto* error = std::get_if<ApiError>(&requests)) return std::move(*error);
  asked.requests = std::move(std::get<std::vector<Request>>(requests));
  return asked;
}

asio::awaitable<std::variant<Asked, ApiError>> understood(Endpoint endpoint, std::string_view body,
                                                          const CompletionSite& site) {
  if (body.size() <= kLongBody) co_return understand(endpoint, body, site);
  const auto here = co_await asio::this_coro::executor;
  std::optional<std::variant<Asked, ApiError>> asked;
  Bell bell(here);
  asio::post(site.helpers, [&] {
    asked.emplace(understand(endpoint, body, site));
    asio::post(here, [&bell] { bell.ring(); });
  });
  co_await bell.wait();
  co_return std::move(*asked);
}

// What runs on behalf of one exchange, until that is over, however it ends.
class Running {
 public:
  Running(Answer& answer, Bell& bell, Exchange& exchange, const CompletionSite& site, Gate::Place place)
      : answer_(answer),
        bell_(bell),
        site_(site),
        place_(std::move(place)),
        began_(answer.request().n_choices()),
        record_(site.log.open({.id = exchange.id(),
                               .endpoint = std::string(exchange.path()),
                               .key = exchange.caller().key,
                               .weight = exchange.caller().weight,
                               .at_ms = unix_ms(),
                               .account = {},
                               .choices = {},
                               .trace = exchange.trace()})) {}
  ~Running() {
    if (record_.end.empty()) {
      record_.end = "cancelled";
      account_so_far();
    }
    for (const RequestId id : record_.choices) site_.gateway.cancel(id);
    site_.spans.write(record_);
    log_end();
    site_.log.close(record_);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  void submit(std::vector<Request> requests, Duration budget, const Tenant& tenant) {
    for (size_t choice = 0; choice < requests.size(); ++choice) {
      record_.n_prompt_tokens += static_cast<int>(requests[choice].prompt.size());
      record_.choices.push_back(site_.gateway.submit(
          std::move(requests[choice]), budget, [this, choice](const RequestEvent& event) { take(choice, event); },
          tenant));
    }
  }

 private:
  void take(size_t choice, const RequestEvent& event) {
    if (!began_[choice]) place_.one_began();
    began_[choice] = true;
    answer_.take(choice, event);
    record_.n_tokens += static_cast<int>(event.tokens.size());
    record_.account = event.account;
    if (!event.error.empty()) record_.end = event.error;
    if (answer_.choice_over(choice) && !event.last()) site_.gateway.cancel(record_.choices.at(choice));
    if (answer_.over() && event.error.empty()) record_.end = "finished";
    bell_.ring();
  }
  void log_end() const {
    const Account& a = record_.account;
    spdlog::info("{}", with_fields("request over", {{"id", record_.id},
                                                    {"trace", record_.trace.trace_id},
                                                    {"endpoint", record_.endpoint},
                                                    {"key", record_.key},
                                                    {"end", record_.end},
                                                    {"prompt_tokens", record_.n_prompt_tokens},
                                                    {"tokens", record_.n_tokens},
                                                    {"prefill", a.prefill},
                                                    {"decode", a.decode},
                                                    {"attempts", a.attempts},
                                                    {"ttft_ms", rounded_ms(a.ttft_ms)},
                                                    {"total_ms", rounded_ms(a.total_ms)}}));
  }
  // Of what is cancelled no event tells.
  void account_so_far() {
    for (const RequestId id : record_.choices) {
      const auto report = site_.gateway.cluster().router().request(id);
      if (!report) continue;
      record_.account = report->account;
      record_.account.total_ms = report->age_ms;
    }
  }

  Answer& answer_;
  Bell& bell_;
  const CompletionSite& site_;
  Gate::Place place_;
  std::vector<bool> began_;  // by choice: something came of it
  RequestRecord& record_;
};

asio::awaitable<void> send(Answer& answer, Bell& bell, Exchange& exchange, const bool& gone) {
  bool begun = false;  // until then an error can be the whole answer
  for (;;) {
    co_await bell.wait();
    if (gone) co_return;
    if (const auto error = answer.error(); error && !begun) co_return co_await exchange.reply(reply_of(*error));
    if (answer.request().stream) {
      const std::string text = answer.take_stream();
      const bool is_all = answer.over();  // more may come while this is written
      if (!begun && !text.empty()) co_await exchange.begin_events();
      begun |= !text.empty();
      co_await exchange.write_events(text);
      if (is_all) co_return co_await exchange.end_events();
    } else if (answer.over()) {
      co_return co_await exchange.reply(HttpReply(answer.body()));
    }
  }
}

}  // namespace

asio::awaitable<void> complete(Endpoint endpoint, Exchange& exchange, CompletionSite site) {
  auto asked = co_await understood(endpoint, exchange.request().body(), site);
  if (const auto* error = std::get_if<ApiError>(&asked)) co_return co_await exchange.reply(reply_of(*error));

  auto place = site.gate.admit(exchange.caller(), static_cast<int>(std::get<Asked>(asked).requests.size()));
  if (const auto* error = std::get_if<ApiError>(&place)) co_return co_await exchange.reply(reply_of(*error));

  Answer& answer = *std::get<Asked>(asked).answer;
  Bell bell(co_await asio::this_coro::executor);
  bool gone = false;
  exchange.watch([&] {
    gone = true;
    bell.ring();
  });
  Running running(answer, bell, exchange, site, std::move(std::get<Gate::Place>(place)));
  running.submit(
      std::move(std::get<Asked>(asked).requests),
      std::chrono::milliseconds(site.gateway.cluster().config().deadline_ms),
      {.key = exchange.caller().key, .weight = exchange.caller().weight, .priority = answer.request().priority});
  co_await send(answer, bell, exchange, gone);
}

}  // namespace ferry
