#include "launch/observe/trace_context.h"

#include <algorithm>
#include <optional>

#include "launch/observe/random_id.h"

namespace ferry {

namespace {

constexpr size_t kMostStateBytes = 512;  // what the specification asks us to hand on at least

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_id(std::string_view text) { return is_hex(text) && text.find_first_not_of('0') != std::string_view::npos; }

// version "-" trace-id "-" parent-id "-" flags. A version that we do not know may go on after that.
struct Fields {
  std::string_view version, trace_id, parent_id, flags, rest;
};

std::optional<Fields> fields_of(std::string_view text) {
  constexpr size_t kLength = 55;
  if (text.size() < kLength || text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  return Fields{.version = text.substr(0, 2),
                .trace_id = text.substr(3, 32),
                .parent_id = text.substr(36, 16),
                .flags = text.substr(53, 2),
                .rest = text.substr(kLength)};
}

bool is_valid(const Fields& f) {
  if (!is_hex(f.version) || f.version == "ff" || !is_hex(f.flags)) return false;
  if (!f.rest.empty() && (f.version == "00" || f.rest[0] != '-')) return false;
  return is_id(f.trace_id) && is_id(f.parent_id);
}

bool is_sampled(std::string_view flags) {
  return std::string_view("13579bdf").find(flags[1]) != std::string_view::npos;
}

}  // namespace

std::string random_span_id() {
  std::string id = random_digits();
  return is_id(id) ? id : random_span_id();
}

TraceContext trace_of(std::string_view traceparent, std::string_view tracestate) {
  const auto fields = fields_of(traceparent);
  if (!fields || !is_valid(*fields))
    return {.trace_id = random_span_id() + random_digits(), .parent_id = {}, .span_id = random_span_id(), .state = {}};
  return {.trace_id = std::string(fields->trace_id),
          .parent_id = std::string(fields->parent_id),
          .span_id = random_span_id(),
          .sampled = is_sampled(fields->flags),
          .state = std::string(tracestate.size() <= kMostStateBytes ? tracestate : std::string_view())};
}

}  // namespace ferry
