#include "launch/observe/traffic.h"

#include "launch/io/metrics_text.h"

namespace ferry {

void Traffic::began(RequestId id, int n_prompt_tokens, Instant now) {
  open_[id] = {.began = now, .last = now, .n_prompt_tokens = n_prompt_tokens};
  rates_.begun.add(1, now);
}

void Traffic::heard(const RequestEvent& event, Instant now) {
  const auto found = open_.find(event.id);
  if (found == open_.end()) return;
  Open& open = found->second;
  if (!event.tokens.empty()) heard_tokens(open, event, now);
  if (!event.last()) return;
  const double since = ms_between(open.began, now) / 1000;
  end_to_end_.add(since);
  latest_.end_to_end.add(since);
  (event.error.empty() ? rates_.finished : rates_.failed).add(1, now);
  open_.erase(found);
}

void Traffic::heard_tokens(Open& open, const RequestEvent& event, Instant now) {
  const Account& account = event.account;
  const auto n = event.tokens.size();
  const double since = ms_between(open.last, now) / 1000;
  if (open.any) {
    // Tokens that came together share the time: a step that yields several is as good as so many short ones.
    const double each = since / static_cast<double>(n);
    between_tokens_.add(each, n);
    latest_.between_tokens.add(each, n);
  } else {
    to_first_token_.add(since);
    latest_.to_first_token.add(since);
    queued_.add(account.queue_ms / 1000);
    prefill_.add(account.bill.prefill_ms / 1000);
    n_prompt_tokens_ += static_cast<uint64_t>(open.n_prompt_tokens);
    rates_.prompt_tokens.add(open.n_prompt_tokens, now);
    groups_[account.prefill].add(open.n_prompt_tokens, now);
  }
  heard_transfer(open, account, now);
  open.any = true;
  open.last = now;
  n_generated_ += n;
  rates_.tokens.add(static_cast<double>(n), now);
  groups_[account.decode].add(static_cast<double>(n), now);
}

// The bill adds up over the attempts of a request.
void Traffic::heard_transfer(Open& open, const Account& account, Instant now) {
  if (account.bill.kv_bytes <= open.n_kv_bytes) return;
  const uint64_t n = account.bill.kv_bytes - std::exchange(open.n_kv_bytes, account.bill.kv_bytes);
  Path& path = paths_[{account.prefill, account.decode}];
  path.transport = account.transport;
  path.n_bytes += n;
  path.bytes.add(static_cast<double>(n), now);
  rates_.kv_bytes.add(static_cast<double>(n), now);
  exposed_transfer_.add(account.bill.exposed_transfer_ms / 1000);
}

double Traffic::tokens_per_s(const std::string& group, Instant now) const {
  const auto found = groups_.find(group);
  return found == groups_.end() ? 0 : found->second.per_second(now);
}

double Traffic::bytes_per_s(const std::string& prefill, const std::string& decode, Instant now) const {
  const auto found = paths_.find({prefill, decode});
  return found == paths_.end() ? 0 : found->second.bytes.per_second(now);
}

std::string Traffic::text() const {
  MetricsText text;
  text.single("prompt_tokens_total", "counter", "Tokens of prompts that were computed or found", n_prompt_tokens_);
  text.single("generation_tokens_total", "counter", "Tokens that were generated", n_generated_);
  text.family("transfer_bytes_total", "counter", "KV bytes that were sent from prefill to decode groups, by path");
  for (const auto& [groups, path] : paths_) {
    text.value({{"prefill", groups.first}, {"decode", groups.second}, {"transport", path.transport}}, path.n_bytes);
  }
  to_first_token_.add_to(text, "time_to_first_token_seconds", "From a request's arrival to its first token");
  between_tokens_.add_to(text, "inter_token_latency_seconds", "From one token of a request to its next");
  end_to_end_.add_to(text, "e2e_request_latency_seconds", "From a request's arrival to its end");
  queued_.add_to(text, "request_queue_time_seconds", "From a request's arrival until a group was chosen for it");
  prefill_.add_to(text, "request_prefill_time_seconds", "From handing a prompt to a group to its first token");
  exposed_transfer_.add_to(text, "exposed_transfer_seconds", "What of a transfer was not hidden behind its prefill");
  return text.take();
}

}  // namespace ferry
