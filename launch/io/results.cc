#include "launch/io/results.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "launch/config/byte_size.h"
#include "launch/io/printable.h"
#include "launch/io/result_json.h"

namespace ferry {
namespace {

using nlohmann::ordered_json;

ordered_json json_of(const Token& token) {
  ordered_json top = ordered_json::array();
  for (const Alternative& other : token.top) top.push_back({other.id, json_number(other.logprob)});
  return {{"id", token.id}, {"logprob", json_number(token.logprob)}, {"top", top}};
}

ordered_json json_of(const Result& r) {
  ordered_json logprobs = ordered_json::array();
  for (const Token& token : r.logprobs) logprobs.push_back(json_of(token));
  return {{"id", r.id},
          {"prompt_ids", r.prompt_ids},
          {"ids", r.ids},
          {"text", r.text},
          {"finish_reason", r.finish_reason},
          {"error", r.error.empty() ? ordered_json() : ordered_json(r.error)},
          {"logprobs", logprobs},
          {"usage",
           {{"prompt_tokens", r.usage.prompt_tokens},
            {"completion_tokens", r.usage.completion_tokens},
            {"cached_tokens", r.usage.cached_tokens}}},
          {"route", json_of(r.route)},
          {"kv", {{"bytes", r.kv.bytes}, {"kept_tokens", r.kv.kept_tokens}, {"transport", r.kv.transport}}},
          {"ms", json_of(r.ms)}};
}

std::string path_text(const Result& r) {
  if (r.route.decode.empty()) return "not routed";
  if (r.kv.transport.empty()) return r.route.decode + ", KV stayed there";
  return fmt::format("{} → {}, KV {} over {}", r.route.prefill, r.route.decode, byte_size_text(r.kv.bytes),
                     r.kv.transport);
}

}  // namespace

Result failed(std::string id, std::string why) {
  Result result;
  result.id = std::move(id);
  result.finish_reason = "error";
  result.error = std::move(why);
  return result;
}

std::string json_line(const Result& result) { return text_of(json_of(result)); }

std::string readable(const Result& r, Colours colours) {
  const std::string id = tinted(printable(r.id), Tint::bold, colours);
  if (!r.error.empty()) return fmt::format("{}: {}\n", id, tinted("error: " + printable(r.error), Tint::red, colours));
  const std::string retries = r.route.attempts > 1 ? fmt::format(" · {} attempts", r.route.attempts) : "";
  const std::string bill =
      fmt::format("{} · {} + {} tokens · first {:.1f} ms, all {:.1f} ms{}", path_text(r), r.usage.prompt_tokens,
                  r.usage.completion_tokens, r.ms.ttft, r.ms.total, retries);
  return fmt::format("{}: {}\n    {}\n", id, printable(r.text), tinted(bill, Tint::dim, colours));
}

}  // namespace ferry
