#pragma once
// The keys of cluster.yaml, each in one line: name, where its value goes, what is allowed. The reader and the printer
// both walk this table, so a key that stands here is read, checked, suggested and printed. The type of the field says
// how it is written: int, double, string, enum (its names), size_t (bytes: "256MiB"), optional<int> ("auto" or a
// number), HostPort ("127.0.0.1:8000").

#include "launch/config/cluster_config.h"

namespace ferry {

template <class Number>
struct Between {
  Number low;
  Number high;
};
template <class Number>
Between(Number, Number) -> Between<Number>;  // which clang finds by itself from 17 on

// A string that becomes part of a command line, a file name or a label: letters, digits, '.', '_' and '-'.
struct PlainName {};
struct Required {};

constexpr int kMaxGroups = 1024;

template <class Visitor>
void fields(Visitor& key, KvConfig& c) {
  key("page_tokens", c.page_tokens, Between{1, 1024});
  key("dtype", c.dtype);
  key("memory", c.memory, Between<size_t>{size_t{1} << 16, size_t{1} << 46});
  key("prefix_cache", c.prefix_cache);
}

template <class Visitor>
void fields(Visitor& key, CudaConfig& c) {
  key("products", c.products);
  key("weights", c.weights);
  key("share_cards", c.share_cards);
  key("all_reduce", c.all_reduce);
}

template <class Visitor>
void fields(Visitor& key, GroupConfig& c) {
  key("name", c.name, PlainName{}, Required{});
  key("role", c.role, Required{});
  key("tp", c.tp, Between{1, 1024});
  key("hosts", c.hosts);
}

template <class Visitor>
void fields(Visitor& key, SchedulingConfig& c) {
  key("max_batch_tokens", c.max_batch_tokens, Between{1, 1 << 20});
  key("max_sequences", c.max_sequences, Between{1, 1 << 16});
  key("step_ms", c.step_ms, Between{0.0, 3'600'000.0});
}

template <class Visitor>
void fields(Visitor& key, LinkConfig& c) {
  key("transport", c.transport);
  key("require", c.require);
  key("min_gb_per_s", c.min_gb_per_s, Between{0.0, 10000.0});
  key("verify", c.verify);
  key("overlap", c.overlap);
  key("staging", c.staging, Between<size_t>{size_t{1} << 20, size_t{1} << 34});
}

template <class Visitor>
void fields(Visitor& key, LimitsConfig& c) {
  constexpr Between kPatienceMs{1, 86'400'000};
  key("connections", c.connections, Between{1, 1 << 20});
  key("header_bytes", c.header_bytes, Between<size_t>{256, size_t{1} << 20});
  key("body_bytes", c.body_bytes, Between<size_t>{256, size_t{1} << 30});
  key("header_ms", c.header_ms, kPatienceMs);
  key("body_ms", c.body_ms, kPatienceMs);
  key("idle_ms", c.idle_ms, kPatienceMs);
  key("write_ms", c.write_ms, kPatienceMs);
  key("prompt_tokens", c.prompt_tokens, Between{1, 1 << 24});
  // Stops and choices cost work for each token: the defaults are the most, too.
  key("choices", c.choices, Between{1, 128});
  key("stops", c.stops, Between{0, 16});
  key("stop_bytes", c.stop_bytes, Between<size_t>{1, 4096});
  key("streams_per_key", c.streams_per_key, Between{1, 1 << 24});
  key("queued_per_key", c.queued_per_key, Between{1, 1 << 24});
}

template <class Visitor>
void fields(Visitor& key, TlsConfig& c) {
  key("certificate", c.certificate, Required{});
  key("key", c.key, Required{});
}

template <class Visitor>
void fields(Visitor& key, ControlTlsConfig& c) {
  key("certificate", c.certificate, Required{});
  key("key", c.key, Required{});
  key("ca", c.ca, Required{});
}

template <class Visitor>
void fields(Visitor& key, RouterConfig& c) {
  key("listen", c.listen);
  key("control", c.control);
  key("colocated_retry", c.colocated_retry);
  key("colocate_below", c.colocate_below, Between{0, 1 << 24});
  key("max_queued", c.max_queued, Between{1, 1 << 24});
  key("spans", c.spans);
  key("keys", c.keys);
  key("join_token", c.join_token);
  key("tls", c.tls);
  key("control_tls", c.control_tls);
  key("allow_unauthenticated", c.allow_unauthenticated);
  key("limits", c.limits);
}

template <class Visitor>
void fields(Visitor& key, ClusterConfig& c) {
  key("model", c.model, Required{});
  key("compute", c.compute);
  key("threads", c.threads, Between{1, 1024});
  key("max_context", c.max_context, Between{1, 1 << 24});
  key("chat_format", c.chat_format, PlainName{});
  key("cuda", c.cuda);
  key("kv", c.kv);
  key("groups", c.groups, Required{});
  key("scheduling", c.scheduling);
  key("link", c.link);
  key("router", c.router);
  key("deadline_ms", c.deadline_ms, Between{1, 86'400'000});
}

}  // namespace ferry
