#include "launch/serve/readiness.h"

namespace ferry {

namespace {
constexpr auto kLately = std::chrono::seconds(2);
constexpr auto kPatience = std::chrono::seconds(5);
}  // namespace

asio::awaitable<std::optional<std::string>> Readiness::find_out(Bell& bell) {
  const Clock& clock = gateway_.cluster().clock();
  if (served_at_ && clock.now() - *served_at_ < kLately) co_return std::nullopt;
  if (gateway_.cluster().router().paths().empty()) {
    co_return gateway_.cluster().router().n_groups() == 0 ? "no group has joined" : "no path between groups is ready";
  }
  std::optional<RequestEvent> last;
  const int token = gateway_.cluster().text().tokenizer().begin().value_or(0);
  const RequestId id = gateway_.submit({.prompt = {token}, .max_tokens = 1}, kPatience, [&](const RequestEvent& event) {
    if (!event.last()) return;
    last = event;
    bell.ring();
  });
  struct Cancel {
    Gateway& gateway;
    RequestId id;
    ~Cancel() { gateway.cancel(id); }
  } cancel{gateway_, id};
  co_await bell.wait();
  if (!last) co_return "nobody waits for the answer any more";
  if (!last->error.empty()) co_return last->error;
  served_at_ = clock.now();
  co_return std::nullopt;
}

}  // namespace ferry
