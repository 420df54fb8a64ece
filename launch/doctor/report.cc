#include "launch/doctor/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "launch/io/printable.h"

namespace ferry {
namespace {

using Level = Finding::Level;
using nlohmann::ordered_json;

std::string_view name_of(Level level) {
  return level == Level::ok ? "ok" : level == Level::warning ? "warning" : "problem";
}

Tint tint_of(Level level) {
  return level == Level::ok ? Tint::green : level == Level::warning ? Tint::yellow : Tint::red;
}

int count(const std::vector<HostReport>& reports, Level level) {
  int n = 0;
  for (const HostReport& report : reports) {
    n += static_cast<int>(std::ranges::count(report.findings, level, &Finding::level));
  }
  return n;
}

ordered_json json_of(const Finding& f) {
  return {{"level", name_of(f.level)}, {"what", f.what}, {"found", f.found}, {"cost", f.cost}, {"advice", f.advice}};
}

void print_finding(const Finding& f, size_t width, std::ostream& out, Colours colours) {
  const std::string gap(width - n_characters(f.what), ' ');
  const std::string level = fmt::format("{:<7}", name_of(f.level));
  out << fmt::format("  {}  {}{}  {}\n", tinted(level, tint_of(f.level), colours), f.what, gap, printable(f.found));
  const std::string indent(width + 13, ' ');
  if (!f.cost.empty()) out << indent << tinted(printable(f.cost), Tint::dim, colours) << '\n';
  if (!f.advice.empty()) out << indent << tinted("→ " + printable(f.advice), Tint::cyan, colours) << '\n';
}

}  // namespace

int n_problems(const std::vector<HostReport>& reports) { return count(reports, Level::problem); }

std::string json_of(const std::vector<HostReport>& reports, const ClusterOutline& outline) {
  ordered_json hosts = ordered_json::array();
  for (const HostReport& report : reports) {
    ordered_json findings = ordered_json::array();
    for (const Finding& finding : report.findings) findings.push_back(json_of(finding));
    hosts.push_back({{"host", report.host}, {"findings", findings}});
  }
  ordered_json all = {
      {"problems", count(reports, Level::problem)}, {"warnings", count(reports, Level::warning)}, {"hosts", hosts}};
  if (!outline.groups.empty()) all.update(json_of(outline));
  return all.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

void print_report(const std::vector<HostReport>& reports, std::ostream& out, Colours colours) {
  for (const HostReport& report : reports) {
    size_t width = 0;
    for (const Finding& finding : report.findings) width = std::max(width, n_characters(finding.what));
    out << tinted(report.host, Tint::bold, colours) << '\n';
    for (const Finding& finding : report.findings) print_finding(finding, width, out, colours);
  }
  const int n_warnings = count(reports, Level::warning);
  out << fmt::format("{} problem{}, {} warning{}\n", n_problems(reports), n_problems(reports) == 1 ? "" : "s",
                     n_warnings, n_warnings == 1 ? "" : "s");
}

}  // namespace ferry
