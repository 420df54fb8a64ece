#include "tests/sim/clients.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "tests/sim/fake_model.h"

namespace ferry::sim {

namespace {

// How late an end may be told: the router ticks, and may have stood still.
constexpr Duration kGrace = std::chrono::milliseconds(300);

}  // namespace

void Clients::submitted(const Request& request, Instant deadline) {
  clients_[request.id] = {.expected = answer_to(request), .expected_of_prompt = {}, .deadline = deadline};
  if (request.prompt_logprobs) clients_[request.id].expected_of_prompt = prompt_logprobs_of(request);
  ++n_waiting_;
}

void Clients::cancelled(RequestId id) {
  n_waiting_ -= !clients_.at(id).over;
  clients_.at(id).over = true;
}

void Clients::hear(const RequestEvent& event) {
  const auto found = clients_.find(event.id);
  if (found == clients_.end()) throw Violation(str("an answer to request ", event.id, ", which nobody made"));
  Client& client = found->second;
  if (client.over) throw Violation(str("request ", event.id, " goes on after its end"));
  if (!event.tokens.empty()) check_prompt(client, event);
  for (const Token& token : event.tokens) {
    if (client.n_got == client.expected.size()) throw Violation(str("request ", event.id, " gets too many tokens"));
    if (token.id != client.expected[client.n_got]) {
      throw Violation(str("token ", client.n_got, " of request ", event.id, " is ", token.id, ", not ",
                          client.expected[client.n_got]));
    }
    ++client.n_got;
  }
  client.last = event;
  if (!event.last()) return;
  client.over = true;
  --n_waiting_;
  if (around_.log.listening()) {
    around_.log.line("client", str("request ", event.id, event.error.empty() ? " is served" : " fails: ", event.error));
  }
  if (!event.error.empty()) return;
  ++n_served_;
  const Account& account = event.account;
  if (account.attempts != 1 + static_cast<int>(account.retries.size())) {
    throw Violation(str("request ", event.id, " took ", account.attempts, " attempts and says why there were ",
                        account.retries.size(), " more than one"));
  }
  if (client.n_got != client.expected.size()) throw Violation(str("request ", event.id, " ends before its last token"));
  const bool stopped = client.expected.back() == kEndToken;
  if (stopped != (event.finish == Finish::stop) && !(stopped && event.finish == Finish::length)) {
    throw Violation(str("request ", event.id, " gives a wrong reason for its end"));
  }
}

void Clients::check_prompt(const Client& client, const RequestEvent& event) const {
  constexpr double kNear = 1e-4;
  const auto same = [](const Token& a, const Token& b) {
    return a.id == b.id && std::abs(a.logprob - b.logprob) < kNear;
  };
  const std::vector<Token> none;
  if (!std::ranges::equal(event.prompt_logprobs, client.n_got == 0 ? client.expected_of_prompt : none, same))
    throw Violation(str("request ", event.id, " gets logprobs of its prompt that are not the prompt's"));
}

void Clients::check_in_time() const {
  for (const auto& [id, client] : clients_) {
    if (client.over || around_.timeline.now() < client.deadline + kGrace) continue;
    throw Violation(str("request ", id, " has no end, long after its deadline"));
  }
}

}  // namespace ferry::sim
