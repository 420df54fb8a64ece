#include "launch/observe/request_log.h"

#include "core/base/check.h"
#include "launch/front/completion.h"
#include "launch/io/result_json.h"
#include "launch/observe/timeline.h"

namespace ferry {

using nlohmann::ordered_json;

ordered_json json_of(const RequestRecord& r) {
  const Account& a = r.account;
  return {{"id", r.id},
          {"trace", r.trace.traceparent()},
          {"endpoint", r.endpoint},
          {"key", r.key},
          {"weight", r.weight},
          {"at_ms", r.at_ms},
          {"end", r.end.empty() ? "running" : r.end},
          {"prompt_tokens", r.n_prompt_tokens},
          {"completion_tokens", r.n_tokens},
          {"cached_tokens", a.bill.cached_tokens},
          {"route", json_of(route_of(a))},
          {"kv", {{"bytes", a.bill.kv_bytes}, {"kept_tokens", a.bill.kept_tokens}, {"transport", a.transport}}},
          {"ttft_ms", rounded_ms(a.ttft_ms)},
          {"total_ms", rounded_ms(a.total_ms)},
          {"timeline", json_of(timeline_of(a))}};
}

RequestRecord& RequestLog::open(RequestRecord record) {
  RequestRecord& open = running_[record.id];
  open = std::move(record);
  return open;
}

void RequestLog::close(const RequestRecord& record) {
  const auto open = running_.find(record.id);
  check(open != running_.end() && &open->second == &record, "closed once, and what was opened");
  in_order_.push_back(open->first);
  over_.insert(running_.extract(open));
  if (in_order_.size() <= kMost) return;
  over_.erase(in_order_.front());
  in_order_.pop_front();
}

const RequestRecord* RequestLog::find(const std::string& id) const {
  for (const auto* records : {&running_, &over_}) {
    if (const auto found = records->find(id); found != records->end()) return &found->second;
  }
  return nullptr;
}

ordered_json RequestLog::latest(size_t n, const Visible& is_visible) const {
  ordered_json all = ordered_json::array();
  for (auto id = in_order_.rbegin(); id != in_order_.rend() && all.size() < n; ++id) {
    const RequestRecord& record = over_.at(*id);
    if (is_visible(record)) all.push_back(json_of(record));
  }
  return all;
}

}  // namespace ferry
