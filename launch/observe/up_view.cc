#include "launch/observe/up_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "launch/io/bars.h"
#include "launch/observe/printable_json.h"
#include "launch/observe/words.h"

namespace ferry {

namespace {

using nlohmann::json;

// Others print what they like: nothing of it moves the cursor, and a tab is as wide as it is counted.
std::string one_line(std::string_view text) {
  std::string line = printable(text.substr(0, text.find('\n')));
  std::replace(line.begin(), line.end(), '\t', ' ');
  return line;
}

std::string head_of(const UpStatus& status, const Screen& screen) {
  return fmt::format("{} {}  {}  {}\n", tinted("Ferry", Tint::bold, screen.colours),
                     tinted(one_line(status.model), Tint::dim, screen.colours), one_line(status.url),
                     tinted("Ctrl-C stops everything", Tint::dim, screen.colours));
}

std::string traffic_of(const UpStatus& status, const Screen& screen) {
  if (status.cluster.is_null()) {
    const std::string why = status.why_not.empty() ? "the router has not answered yet" : one_line(status.why_not);
    return tinted(why, Tint::dim, screen.colours) + "\n";
  }
  const json &rates = status.cluster.at("rates"), &counters = status.cluster.at("counters");
  return fmt::format("{} run, {} wait, {} done, {} failed, {} cancelled  {} tokens/s  {} requests/s  KV {}/s\n",
                     status.cluster.at("served").get<int>(), status.cluster.at("waiting").get<int>(),
                     counters.at("finished").get<int64_t>(), counters.at("failed").get<int64_t>(),
                     counters.at("cancelled").get<int64_t>(), rate_text(rates.at("tokens_per_s")),
                     rate_text(rates.at("requests_per_s")), bytes_text(rates.at("kv_bytes_per_s")));
}

const json* group_in(const json& cluster, const std::string& name) {
  if (cluster.is_null()) return nullptr;
  const json& groups = cluster.at("groups");
  const auto found = std::find_if(groups.begin(), groups.end(), [&](const json& g) { return g.at("name") == name; });
  return found == groups.end() ? nullptr : &*found;
}

// A process that runs is what the router says it is; until it has joined, it starts.
std::string state_of(const UpStatus::Part& part, const UpStatus& status, const json* group) {
  if (!part.runs) return fmt::format("again in {:.0f} s", std::ceil(part.for_ms / 1000));
  if (part.tp == 0) return status.cluster.is_null() ? "starts" : "serves";
  if (status.cluster.is_null()) return "runs";
  const std::string state = group ? text_at(*group, "state") : "absent";
  return state == "absent" ? "starts" : state;
}

Tint tint_of(const UpStatus::Part& part, const std::string& state) {
  if (!part.runs || state == "silent" || state == "failing") return Tint::red;
  return state == "ready" || state == "serves" ? Tint::green : Tint::yellow;
}

std::string pages_of(const json& group, int width, Colours colours) {
  const json& pages = group.at("pages");
  const double total = std::max(pages.at("total").get<double>(), 1.0);
  const std::vector<Stretch> used = {{pages.at("leased").get<double>() / total, Tint::cyan},
                                     {pages.at("shared").get<double>() / total, Tint::green},
                                     {pages.at("quarantined").get<double>() / total, Tint::red}};
  return fmt::format("{:>11} {:>4} {:>5} {}",
                     fmt::format("{}/{}", pages.at("free").get<int>(), pages.at("total").get<int>()),
                     group.at("running").get<int>(), group.at("queued").get<int>(), stacked_bar(used, width, colours));
}

std::string line_of(const UpStatus::Part& part, const UpStatus& status, int bar_width, Colours colours) {
  const json* group = part.tp > 0 ? group_in(status.cluster, part.name) : nullptr;
  const std::string state = state_of(part, status, group);
  std::string line = fmt::format("{:<14.14} {} {:>8} {:>8}", one_line(part.name),
                                 tinted(fmt::format("{:<13}", state), tint_of(part, state), colours),
                                 part.runs ? duration_text(part.for_ms) : "", part.n_restarts);
  if (!part.runs) return line + tinted("  it ended: " + one_line(part.last_end), Tint::red, colours);
  if (part.tp > 0) line += fmt::format("  {:<7} {:>2}", part.role, part.tp);
  if (group && state != "starts") line.append(" ").append(pages_of(*group, bar_width, colours));
  return line;
}

// What matters most stands first: a line that is too long is cut.
std::string parts_of(const UpStatus& status, const Screen& screen) {
  constexpr int kOthers = 82;
  const int bar_width = std::clamp(screen.columns - kOthers, 6, 40);
  const std::string head = fmt::format("{:<14} {:<13} {:>8} {:>8}  {:<7} {:>2} {:>11} {:>4} {:>5} {}", "PROCESS",
                                       "state", "for", "restarts", "role", "TP", "free", "run", "queue", "pages");
  std::string text = tinted(head, Tint::bold, screen.colours) + "\n";
  for (const UpStatus::Part& part : status.parts) text += line_of(part, status, bar_width, screen.colours) + "\n";
  return text;
}

std::string log_of(const UpStatus& status, int n_lines, Colours colours) {
  std::string text;
  const size_t n = std::min(status.lines.size(), static_cast<size_t>(std::max(n_lines, 0)));
  for (size_t i = status.lines.size() - n; i < status.lines.size(); ++i) {
    const std::string line = one_line(status.lines[i]);
    const bool is_error = line.find(" error ") != std::string::npos,
               warns = line.find(" warning ") != std::string::npos;
    text += (is_error ? tinted(line, Tint::red, colours) : warns ? tinted(line, Tint::yellow, colours) : line) + "\n";
  }
  return text;
}

}  // namespace

std::string up_view(const UpStatus& status, const Screen& screen) {
  std::string text = head_of(status, screen) + traffic_of(status, screen) + "\n" + parts_of(status, screen) + "\n";
  const auto n_used = static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  return fitted(text + log_of(status, screen.lines - n_used, screen.colours), screen);
}

}  // namespace ferry
