#include "launch/serve/completions.h"

#include "launch/serve/bell.h"
#include "launch/serve/random_id.h"
#include "launch/serve/replies.h"
#include "launch/version.h"

namespace ferry {

namespace {

constexpr size_t kLongBody = 16 << 10;

int64_t unix_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

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
        exchange_(exchange),
        site_(site),
        place_(std::move(place)),
        began_(answer.request().n_choices()),
        at_ms_(unix_ms()) {}
  ~Running() {
    for (const RequestId id : ids_) site_.gateway.cancel(id);
    site_.log.add({.id = exchange_.id(),
                   .endpoint = std::string(exchange_.path()),
                   .key = exchange_.caller().key,
                   .weight = exchange_.caller().weight,
                   .at_ms = at_ms_,
                   .n_prompt_tokens = n_prompt_,
                   .n_tokens = n_tokens_,
                   .end = end_,
                   .account = account_});
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  void submit(std::vector<Request> requests, Duration budget, const Tenant& tenant) {
    for (size_t choice = 0; choice < requests.size(); ++choice) {
      n_prompt_ += static_cast<int>(requests[choice].prompt.size());
      ids_.push_back(site_.gateway.submit(
          std::move(requests[choice]), budget, [this, choice](const RequestEvent& event) { take(choice, event); },
          tenant));
    }
  }

 private:
  void take(size_t choice, const RequestEvent& event) {
    if (!began_[choice]) place_.one_began();
    began_[choice] = true;
    answer_.take(choice, event);
    n_tokens_ += static_cast<int>(event.tokens.size());
    account_ = event.account;
    if (!event.error.empty()) end_ = event.error;
    if (answer_.choice_over(choice) && !event.last()) site_.gateway.cancel(ids_.at(choice));
    if (answer_.over() && event.error.empty()) end_ = "finished";
    bell_.ring();
  }

  Answer& answer_;
  Bell& bell_;
  Exchange& exchange_;
  const CompletionSite& site_;
  Gate::Place place_;
  std::vector<bool> began_;  // by choice: something came of it
  std::vector<RequestId> ids_;
  const int64_t at_ms_;
  int n_prompt_ = 0, n_tokens_ = 0;
  std::string end_ = "cancelled";
  Account account_;
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
