#include "launch/observe/spans.h"

#include <spdlog/spdlog.h>

#include "core/base/error.h"
#include "launch/io/result_json.h"
#include "launch/observe/timeline.h"
#include "launch/version.h"

namespace ferry {

namespace {

using nlohmann::ordered_json;

// The numbers of OpenTelemetry's enums.
constexpr int kInternal = 1, kServer = 2;
constexpr int kError = 2;

ordered_json attribute(const char* name, const std::string& value) {
  return {{"key", name}, {"value", {{"stringValue", value}}}};
}
ordered_json attribute(const char* name, int64_t value) {
  return {{"key", name}, {"value", {{"intValue", std::to_string(value)}}}};  // 64 bits are texts in protobuf's JSON
}

std::string unix_ns(const RequestRecord& record, double after_ms) {
  return std::to_string(record.at_ms * 1'000'000 + static_cast<int64_t>(after_ms * 1e6));
}

ordered_json span_of(const RequestRecord& record, const std::string& model) {
  const Account& a = record.account;
  ordered_json span = {{"traceId", record.trace.trace_id},
                       {"spanId", record.trace.span_id},
                       {"parentSpanId", record.trace.parent_id},
                       {"traceState", record.trace.state},
                       {"name", record.endpoint},
                       {"kind", kServer},
                       {"startTimeUnixNano", unix_ns(record, 0)},
                       {"endTimeUnixNano", unix_ns(record, a.total_ms)}};
  const bool chat = record.endpoint.find("chat") != std::string::npos;
  span["attributes"] = {attribute("gen_ai.operation.name", chat ? "chat" : "text_completion"),
                        attribute("gen_ai.request.model", model),
                        attribute("gen_ai.usage.input_tokens", record.n_prompt_tokens),
                        attribute("gen_ai.usage.output_tokens", record.n_tokens),
                        attribute("ferry.request.id", record.id),
                        attribute("ferry.end", record.end),
                        attribute("ferry.prefill.group", a.prefill),
                        attribute("ferry.decode.group", a.decode),
                        attribute("ferry.attempts", a.attempts),
                        attribute("ferry.kv.bytes", static_cast<int64_t>(a.bill.kv_bytes)),
                        attribute("ferry.kv.transport", a.transport)};
  if (record.end != "finished" && record.end != "cancelled")
    span["status"] = {{"code", kError}, {"message", record.end}};
  return span;
}

ordered_json span_of(const Part& part, const RequestRecord& record) {
  ordered_json span = {{"traceId", record.trace.trace_id},
                       {"spanId", random_span_id()},
                       {"parentSpanId", record.trace.span_id},
                       {"name", part.name},
                       {"kind", kInternal},
                       {"startTimeUnixNano", unix_ns(record, part.begin_ms)},
                       {"endTimeUnixNano", unix_ns(record, part.begin_ms + part.ms)}};
  span["attributes"] = {attribute("ferry.attempt", part.attempt)};
  if (part.next.empty()) return span;
  span["attributes"].push_back(attribute("ferry.next_rung", part.next));
  span["status"] = {{"code", kError}, {"message", part.why}};
  return span;
}

}  // namespace

std::string spans_of(const RequestRecord& record, const std::string& model) {
  ordered_json spans = {span_of(record, model)};
  for (const Part& part : timeline_of(record.account)) {
    if (part.ms > 0) spans.push_back(span_of(part, record));
  }
  const ordered_json scope = {{"scope", {{"name", "ferry"}, {"version", version()}}}, {"spans", std::move(spans)}};
  const ordered_json service = {{"attributes", ordered_json::array({attribute("service.name", "ferry")})}};
  const ordered_json resource = {{"resource", service}, {"scopeSpans", ordered_json::array({scope})}};
  return text_of({{"resourceSpans", ordered_json::array({resource})}});
}

SpanFile::SpanFile(const std::string& file, std::string model) : model_(std::move(model)) {
  if (file.empty()) return;
  out_.open(file, std::ios::app);
  if (!out_) throw Error(str("cannot append to ", file, " (router.spans)"));
}

void SpanFile::write(const RequestRecord& record) {
  if (!out_.is_open() || !record.trace.sampled) return;
  out_ << spans_of(record, model_) << '\n' << std::flush;
  if (out_) return;
  out_.close();  // said once; a service goes on without them
  spdlog::error("router.spans cannot be written any more: is the disk full?");
}

}  // namespace ferry
