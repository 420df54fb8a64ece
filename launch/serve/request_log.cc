#include "launch/serve/request_log.h"

#include <algorithm>

#include "launch/front/completion.h"
#include "launch/io/result_json.h"

namespace ferry {

namespace {

using nlohmann::ordered_json;

// The parts of the time to the first token, in the order in which they happen.
ordered_json timeline_of(const Account& a) {
  ordered_json parts = ordered_json::array();
  double at = 0;
  const auto add = [&](const char* name, double ms) {
    parts.push_back({{"part", name}, {"begin_ms", rounded_ms(at)}, {"ms", rounded_ms(ms)}});
    at += ms;
  };
  add("queue", a.queue_ms);
  add("reserve", a.reserve_ms);
  add("prefill", a.bill.prefill_ms);
  add("exposed_transfer", a.bill.exposed_transfer_ms);
  add("verify", a.bill.verify_ms);
  add("attach", a.bill.attach_ms);
  if (a.ttft_ms > at) add("other", a.ttft_ms - at);  // messages on their way, waiting for a step, attempts that failed
  at = std::max(at, a.ttft_ms);
  add("decode", std::max(0.0, a.total_ms - a.ttft_ms));
  return parts;
}

ordered_json json_of(const RequestRecord& r) {
  const Account& a = r.account;
  return {{"id", r.id},
          {"endpoint", r.endpoint},
          {"key", r.key},
          {"weight", r.weight},
          {"at_ms", r.at_ms},
          {"end", r.end},
          {"prompt_tokens", r.n_prompt_tokens},
          {"completion_tokens", r.n_tokens},
          {"cached_tokens", a.bill.cached_tokens},
          {"route", json_of(route_of(a))},
          {"kv", {{"bytes", a.bill.kv_bytes}, {"kept_tokens", a.bill.kept_tokens}, {"transport", a.transport}}},
          {"ttft_ms", rounded_ms(a.ttft_ms)},
          {"total_ms", rounded_ms(a.total_ms)},
          {"timeline", timeline_of(a)}};
}

}  // namespace

void RequestLog::add(RequestRecord record) {
  in_order_.push_back(record.id);
  records_[record.id] = std::move(record);
  if (in_order_.size() <= kMost) return;
  records_.erase(in_order_.front());
  in_order_.pop_front();
}

std::string RequestLog::find(const std::string& id) const {
  const auto found = records_.find(id);
  return found == records_.end() ? std::string() : text_of(json_of(found->second));
}

std::string RequestLog::latest(size_t n) const {
  ordered_json all = ordered_json::array();
  for (auto id = in_order_.rbegin(); id != in_order_.rend() && all.size() < n; ++id)
    all.push_back(json_of(records_.at(*id)));
  return text_of(all);
}

}  // namespace ferry
