#include "launch/observe/explain_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "launch/io/bars.h"
#include "launch/observe/printable_json.h"
#include "launch/observe/words.h"

namespace ferry {

namespace {

using nlohmann::json;

Tint tint_of(const std::string& part) {
  static const std::map<std::string, Tint> kTints = {
      {"prefill", Tint::cyan},   {"decode", Tint::green},       {"exposed_transfer", Tint::yellow},
      {"unanswered", Tint::red}, {"failed_attempt", Tint::red}, {"queue", Tint::dim},
  };
  const auto found = kTints.find(part);
  return found == kTints.end() ? Tint::bold : found->second;
}

std::string head_of(const json& r, const Screen& screen) {
  const json &route = r.at("route"), &kv = r.at("kv");
  const std::string end = text_at(r, "end"), prefill = text_at(route, "prefill"), decode = text_at(route, "decode");
  const bool is_calm = end == "running" || end == "cancelled";
  const Tint tint = end == "finished" ? Tint::green : is_calm ? Tint::yellow : Tint::red;
  std::string text = fmt::format("{}  {}  {}\n", tinted(text_at(r, "id"), Tint::bold, screen.colours),
                                 text_at(r, "endpoint"), tinted(end, tint, screen.colours));
  if (decode.empty()) {
    text += "no group had taken it";
  } else if (prefill == decode) {
    text += "all at " + decode;
  } else {
    text +=
        fmt::format("{} → {} over {}, {} of KV", prefill, decode, text_at(kv, "transport"), bytes_text(kv.at("bytes")));
  }
  const int attempts = route.at("attempts").get<int>();
  text += fmt::format("; {} attempt{}\n", attempts, attempts == 1 ? "" : "s");
  const double ttft_ms = r.at("ttft_ms").get<double>();
  text += fmt::format("{} prompt tokens ({} cached), {} generated; {}, all in {}\n", r.at("prompt_tokens").get<int>(),
                      r.at("cached_tokens").get<int>(), r.at("completion_tokens").get<int>(),
                      ttft_ms > 0 ? fmt::format("first token after {}", duration_text(ttft_ms)) : "no token came",
                      duration_text(r.at("total_ms")));
  return text + "trace " + text_at(r, "trace") + "\n";
}

// Parts one below the other, each where it was in the time that they take together.
std::string waterfall_of(const std::vector<json>& parts, const Screen& screen) {
  constexpr int kName = 18, kTime = 9;
  const int width = std::clamp(screen.columns - kName - kTime - 4, 10, 100);
  const double begin = parts.front().at("begin_ms").get<double>();
  const double all =
      std::max(parts.back().at("begin_ms").get<double>() + parts.back().at("ms").get<double>() - begin, 1e-9);
  std::string text;
  for (const json& p : parts) {
    const std::string name = text_at(p, "part");
    const double at = p.at("begin_ms").get<double>() - begin, ms = p.at("ms").get<double>();
    std::string label = name;
    std::replace(label.begin(), label.end(), '_', ' ');
    text += fmt::format("  {:<{}}{} {:>{}}\n", label, kName,
                        tinted(bar(at / all, (at + ms) / all, width), tint_of(name), screen.colours), duration_text(ms),
                        kTime);
    if (!p.contains("next")) continue;
    std::string next = text_at(p, "next");
    std::replace(next.begin(), next.end(), '_', ' ');
    text += tinted(fmt::format("    attempt {} at {} → {} ended: {}; then: {}\n", p.at("attempt").get<int>(),
                               text_at(p, "prefill"), text_at(p, "decode"), text_at(p, "why"), next),
                   Tint::red, screen.colours);
  }
  return text;
}

}  // namespace

// What comes before the first token is mostly much shorter than what comes after it: each has its own scale.
std::string explain_view(const json& request, const Screen& screen) {
  std::vector<json> before, after;
  for (const json& part : request.at("timeline")) {
    const bool decodes = part.at("part") == "decode";
    (decodes || !after.empty() ? after : before).push_back(part);
  }
  std::string text = head_of(request, screen);
  const auto add = [&](const char* title, const std::vector<json>& parts) {
    if (parts.empty()) return;
    text += fmt::format("\n{}\n{}", tinted(title, Tint::bold, screen.colours), waterfall_of(parts, screen));
  };
  add(after.empty() ? "until its end" : "until the first token", before);
  add("after it", after);
  return text;
}

}  // namespace ferry
