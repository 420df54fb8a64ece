#include "launch/bench/load_plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <random>
#include <string_view>

#include "core/base/error.h"
#include "launch/io/json_line.h"

namespace ferry {

namespace {

constexpr int kMooncakeBlockTokens = 512;
constexpr int kFirstId = 256, kIds = 4096;  // beyond most special tokens, within the smallest vocabularies in use

uint64_t mixed(uint64_t x) {  // splitmix64
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

int scaled(int n, double scale) { return std::max(1, static_cast<int>(std::lround(n * scale))); }

// One request as the trace has it.
struct TraceLine {
  double seconds = 0;
  int n_prompt = 0, n_tokens = 0;
  std::vector<uint64_t> blocks;
};

// "2023-11-16 18:17:03.9799600,4808,10": seconds since that day began, days counted without a calendar.
std::optional<TraceLine> azure_line(const std::string& text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0;
  double second = 0;
  TraceLine line;
  if (std::sscanf(text.c_str(), "%d-%d-%d %d:%d:%lf,%d,%d", &year, &month, &day, &hour, &minute, &second,
                  &line.n_prompt, &line.n_tokens) != 8)
    return std::nullopt;
  line.seconds = ((day * 24.0 + hour) * 60 + minute) * 60 + second;
  return line;
}

TraceLine mooncake_line(const std::string& text) {
  const nlohmann::json json = parse_json_line(text);
  try {
    return {.seconds = json.at("timestamp").get<double>() / 1000,
            .n_prompt = json.at("input_length"),
            .n_tokens = json.at("output_length"),
            .blocks = json.at("hash_ids")};
  } catch (const nlohmann::json::exception&) {
    throw Error("no numbers timestamp, input_length, output_length and list hash_ids");
  }
}

std::optional<TraceLine> trace_line(const std::string& text, bool is_first) {
  if (text.starts_with('{')) return mooncake_line(text);
  if (auto line = azure_line(text)) return line;
  if (is_first) return std::nullopt;  // the names of the columns
  throw Error("no TIMESTAMP,ContextTokens,GeneratedTokens");
}

PlannedRequest planned(const TraceLine& line, double first_s, const TraceScale& scale) {
  return {.at = ms((line.seconds - first_s) * 1000 / scale.pace),
          .n_prompt_tokens = scaled(line.n_prompt, scale.lengths),
          .n_tokens = scaled(line.n_tokens, scale.lengths),
          .blocks = line.blocks,
          .block_tokens = scaled(kMooncakeBlockTokens, scale.lengths)};
}

}  // namespace

LoadPlan poisson_plan(int n_requests, double rate_per_s, const PlannedRequest& shape, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::exponential_distribution<double> gap_s(rate_per_s > 0 ? rate_per_s : 1);
  LoadPlan plan(static_cast<size_t>(n_requests), shape);
  double at_s = 0;
  for (PlannedRequest& request : plan) {
    if (rate_per_s > 0) at_s += gap_s(random);
    request.at = ms(at_s * 1000);
  }
  return plan;
}

LoadPlan read_trace(std::istream& in, const std::string& name, const TraceScale& scale) {
  LoadPlan plan;
  std::optional<double> first_s;
  int number = 0;
  for (auto text = next_line(in); text && static_cast<int>(plan.size()) < scale.max_requests; text = next_line(in)) {
    ++number;
    if (is_blank(*text)) continue;
    try {
      const auto line = trace_line(*text, number == 1);
      if (!line) continue;
      if (!first_s) first_s = line->seconds;
      plan.push_back(planned(*line, *first_s, scale));
    } catch (const Error& e) {
      throw Error(str(name, ":", number, ": ", e.what()));
    }
  }
  if (plan.empty()) throw Error(name + ": no request is in it");
  std::ranges::stable_sort(plan, {}, &PlannedRequest::at);
  return plan;
}

std::vector<int> prompt_of(const PlannedRequest& request, uint64_t seed, size_t index) {
  std::vector<int> tokens(static_cast<size_t>(request.n_prompt_tokens));
  const uint64_t own = mixed(mixed(seed) + index);
  for (size_t i = 0; i < tokens.size(); ++i) {
    const size_t block = i / static_cast<size_t>(request.block_tokens);
    const uint64_t text = block < request.blocks.size() ? mixed(request.blocks[block]) : own;
    tokens[i] = kFirstId + static_cast<int>(mixed(text + i) % kIds);
  }
  return tokens;
}

}  // namespace ferry
