#include "launch/serve/latencies.h"

#include <fmt/format.h>

#include <algorithm>

namespace ferry {

void Histogram::add(double seconds, uint64_t times) {
  const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
  counts_[static_cast<size_t>(bound - kBounds.begin())] += times;
  count_ += times;
  sum_ += seconds * static_cast<double>(times);
}

std::string Histogram::text(std::string_view name, std::string_view help) const {
  std::string text = fmt::format("# HELP ferry_{0} {1}\n# TYPE ferry_{0} histogram\n", name, help);
  uint64_t below = 0;
  for (size_t i = 0; i < kBounds.size(); ++i) {
    below += counts_[i];
    text += fmt::format("ferry_{}_bucket{{le=\"{}\"}} {}\n", name, kBounds[i], below);
  }
  text +=
      fmt::format("ferry_{0}_bucket{{le=\"+Inf\"}} {1}\nferry_{0}_sum {2}\nferry_{0}_count {1}\n", name, count_, sum_);
  return text;
}

void Latencies::began(RequestId id, Instant now) { open_[id] = {.began = now, .last = now}; }

void Latencies::heard(const RequestEvent& event, Instant now) {
  const auto found = open_.find(event.id);
  if (found == open_.end()) return;
  Open& open = found->second;
  if (!event.tokens.empty()) {
    const double since = ms_between(open.last, now) / 1000;
    if (open.any) {
      // Tokens that came together share the time: a step that yields several is as good as so many short ones.
      between_tokens_.add(since / static_cast<double>(event.tokens.size()), event.tokens.size());
    } else {
      to_first_token_.add(since);
      queued_.add(event.account.queue_ms / 1000);
    }
    open.any = true;
    open.last = now;
    n_generated_ += event.tokens.size();
  }
  if (!event.last()) return;
  end_to_end_.add(ms_between(open.began, now) / 1000);
  kv_bytes_ += event.account.bill.kv_bytes;
  open_.erase(found);
}

std::string Latencies::text() const {
  return to_first_token_.text("time_to_first_token_seconds", "From the request's arrival to its first token") +
         between_tokens_.text("inter_token_latency_seconds", "From one token of a request to its next") +
         end_to_end_.text("e2e_request_latency_seconds", "From the request's arrival to its end") +
         queued_.text("request_queue_time_seconds", "From the request's arrival until a group was chosen for it") +
         fmt::format(
             "# HELP ferry_generation_tokens_total Tokens that were generated\n"
             "# TYPE ferry_generation_tokens_total counter\nferry_generation_tokens_total {}\n"
             "# HELP ferry_transfer_bytes_total KV bytes that were sent from prefill to decode groups\n"
             "# TYPE ferry_transfer_bytes_total counter\nferry_transfer_bytes_total {}\n",
             n_generated_, kv_bytes_);
}

}  // namespace ferry
