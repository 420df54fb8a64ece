#include "tests/sim/schedule.h"

#include <algorithm>

#include "tests/sim/fake_model.h"
#include "tests/sim/random.h"

namespace ferry::sim {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using wire::Verify;

constexpr Duration kStorm = milliseconds(250);  // requests come and faults begin in this time

GroupPlan group_of(Random& random, std::string name, wire::Role role) {
  const bool tiny = random.chance(0.3);
  const int max_sequences = random.between(1, 5);
  return {
      .name = std::move(name),
      .role = role,
      .tp = random.chance(0.05) ? 4 : random.between(1, 3),
      .n_pages = tiny ? random.between(4, 9) : random.between(10, 40),
      .limits = {.max_batch_tokens = random.between(std::max(3, max_sequences), 16), .max_sequences = max_sequences},
      .overlap = random.chance(0.25) ? Overlap::after_prefill : Overlap::layers};
}

std::vector<GroupPlan> groups_of(Random& random) {
  std::vector<GroupPlan> groups;
  const auto add = [&](int n, const char* prefix, wire::Role role) {
    for (int i = 0; i < n; ++i) groups.push_back(group_of(random, str(prefix, i), role));
  };
  const int n_mixed = random.chance(0.25) ? 1 : 0;
  add(random.chance(0.35) ? 2 : 1, "p", wire::Role::prefill);
  add(random.chance(0.35) ? 2 : 1, "d", wire::Role::decode);
  if (groups.size() < 4) add(n_mixed, "m", wire::Role::mixed);
  return groups;
}

std::vector<int> tokens_of(Random& random, int n) {
  std::vector<int> tokens(n);
  for (int& token : tokens) token = random.below(kVocabulary);
  return tokens;
}

// Many prompts begin alike, as they do where there is a system prompt.
std::vector<RequestPlan> requests_of(Random& random) {
  const std::vector<std::vector<int>> beginnings = {{}, {}, tokens_of(random, 9), tokens_of(random, 14)};
  std::vector<RequestPlan> requests(random.between(3, 10));
  for (RequestPlan& r : requests) {
    r.at = random.between(Duration{}, kStorm);
    std::vector<int> prompt = random.one_of(beginnings);
    for (const int token : tokens_of(random, random.between(1, 7))) prompt.push_back(token);
    r.request = {.prompt = prompt, .max_tokens = random.between(1, 6), .ignore_eos = random.chance(0.3)};
    // Some tokens are chosen from whole logits: the same ones.
    if (prompt.size() % 3 == 0) r.request.sampling.logit_bias = {{.id = prompt.back(), .bias = 0.25f}};
    if (prompt.size() % 5 == 1) r.request.n_logprobs = 0;
    r.request.prompt_logprobs = r.request.n_logprobs == 0;
    r.budget = random.chance(0.2) ? random.between(milliseconds(5), milliseconds(60))
                                  : random.between(milliseconds(100), milliseconds(500));
    if (random.chance(0.12)) {
      r.cancel_after = random.between(Duration{}, milliseconds(40));
      r.budget = std::chrono::seconds(10);  // no deadline cleans up after it
    }
  }
  std::sort(requests.begin(), requests.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  return requests;
}

// Long answers at once, in groups that have no pages for all of them: sequences grow into each other's.
void crowd(Random& random, Schedule& schedule) {
  for (GroupPlan& g : schedule.groups) {
    g.n_pages = random.between(10, 16);
    g.limits.max_sequences = random.between(3, 5);
    g.limits.max_batch_tokens = std::max(g.limits.max_batch_tokens, g.limits.max_sequences);
  }
  for (RequestPlan& r : schedule.requests) {
    r.at = random.between(Duration{}, milliseconds(20));
    r.request.max_tokens = random.between(6, 16);
    r.request.ignore_eos = true;
  }
}

Fault fault_of(Random& random, const Schedule& schedule) {
  using enum FaultKind;
  static constexpr FaultKind kKinds[] = {crash,        crash,        crash_forever, pause,  pause,   partition,
                                         partition,    slow,         lose,          repeat, reorder, garble,
                                         break_stream, break_stream, fail,          alter,  corrupt};
  const int n_hosts = schedule.router() + 1;
  Fault fault = {.kind = kKinds[random.below(std::size(kKinds))],
                 .at = random.between(milliseconds(1), kStorm),
                 .lasts = random.chance(0.5) ? random.between(microseconds(500), milliseconds(15))
                                             : random.between(milliseconds(15), milliseconds(150)),
                 .a = random.below(n_hosts),
                 .severity = random.between(1, 8) * 0.1};
  if (fault.kind == crash_forever || fault.kind == break_stream || fault.kind == alter)
    fault.a = random.below(schedule.router());
  if (fault.kind == slow) fault.severity = random.between(5, 60);
  fault.b = (fault.a + random.between(1, n_hosts - 1)) % n_hosts;
  if (fault.kind == alter) fault.b = schedule.router();
  return fault;
}

// For a while, messages come twice and out of order everywhere.
void add_message_storm(Random& random, const Schedule& schedule, std::vector<Fault>& faults) {
  const Duration at = random.between(Duration{}, kStorm / 2);
  for (Host a = 0; a <= schedule.router(); ++a) {
    for (Host b = a + 1; b <= schedule.router(); ++b) {
      for (const FaultKind kind : {FaultKind::repeat, FaultKind::reorder})
        faults.push_back({.kind = kind, .at = at, .lasts = kStorm, .a = a, .b = b, .severity = 0.4});
    }
  }
}

void add_blanks(Random& random, const Schedule& schedule, std::vector<Fault>& faults) {
  const Host a = random.below(schedule.router());
  faults.push_back({.kind = FaultKind::blank,
                    .at = random.between(Duration{}, kStorm / 2),
                    .lasts = random.between(milliseconds(5), kStorm),
                    .a = a,
                    .b = a,
                    .severity = random.between(1, 10) * 0.1});
}

std::vector<Fault> faults_of(Random& random, const Schedule& schedule) {
  std::vector<Fault> faults(random.chance(0.1) ? 0 : random.between(1, 5));
  for (Fault& fault : faults) fault = fault_of(random, schedule);
  // A wrong bit that nobody looks for is a wrong answer, and no fault of the protocol.
  if (schedule.verify != Verify::all)
    std::erase_if(faults, [](const Fault& f) { return f.kind == FaultKind::corrupt; });
  if (random.chance(0.15)) add_message_storm(random, schedule, faults);
  if (random.chance(0.15)) add_blanks(random, schedule, faults);
  std::sort(faults.begin(), faults.end(), [](const Fault& a, const Fault& b) { return a.at < b.at; });
  return faults;
}

const char* name_of(wire::Role role) {
  return role == wire::Role::prefill ? "prefill" : role == wire::Role::decode ? "decode" : "mixed";
}

const char* name_of(FaultKind kind) {
  static constexpr const char* kNames[] = {"crash", "crash for ever", "pause",   "partition", "slow",
                                           "lose",  "repeat",         "reorder", "garble",    "break stream",
                                           "fail",  "alter",          "corrupt", "blank"};
  return kNames[static_cast<int>(kind)];
}

std::string ms_of(Duration d) { return str(std::chrono::duration<double, std::milli>(d).count(), " ms"); }

}  // namespace

bool Schedule::has(FaultKind kind) const {
  return std::any_of(faults.begin(), faults.end(), [kind](const Fault& f) { return f.kind == kind; });
}

Duration Schedule::storm_end() const {
  Duration end{};
  for (const RequestPlan& r : requests) end = std::max(end, r.at);
  for (const Fault& f : faults) end = std::max(end, f.at + f.lasts);
  return end;
}

Schedule schedule_of(uint64_t seed) {
  Random random(seed);
  Schedule schedule = {.seed = random.next(),
                       .groups = groups_of(random),
                       .verify = random.chance(0.6)   ? Verify::all
                                 : random.chance(0.5) ? Verify::sampled
                                                      : Verify::off,
                       .shared_memory = random.chance(0.3),
                       .detection = random.between(milliseconds(2), milliseconds(40))};
  schedule.requests = requests_of(random);
  if (random.chance(0.2)) crowd(random, schedule);
  schedule.faults = faults_of(random, schedule);
  return schedule;
}

std::string in_words(const Fault& fault, const Schedule& schedule) {
  const auto host = [&](Host h) { return h == schedule.router() ? std::string("router") : schedule.groups[h].name; };
  const bool one_host =
      fault.kind <= FaultKind::pause || fault.kind == FaultKind::break_stream || fault.kind == FaultKind::blank;
  return str(name_of(fault.kind), " ", host(fault.a), one_host ? "" : "–" + host(fault.b), " at ", ms_of(fault.at),
             " for ", ms_of(fault.lasts), ", severity ", fault.severity);
}

std::string in_words(const Schedule& s) {
  std::string text = str(s.shared_memory ? "shared memory" : "network", ", detection ", ms_of(s.detection), ", verify ",
                         s.verify == Verify::all       ? "all"
                         : s.verify == Verify::sampled ? "sampled"
                                                       : "off",
                         "\n");
  for (const GroupPlan& g : s.groups) {
    text += str("  group ", g.name, ": ", name_of(g.role), ", tp ", g.tp, ", ", g.n_pages, " pages, ",
                g.limits.max_batch_tokens, " tokens a step, ", g.limits.max_sequences, " sequences, ",
                g.overlap == Overlap::layers ? "layer by layer" : "after prefill", "\n");
  }
  for (const RequestPlan& r : s.requests) {
    text += str("  request at ", ms_of(r.at), ": prompt of ", r.request.prompt.size(), ", max_tokens ",
                r.request.max_tokens, ", budget ", ms_of(r.budget),
                r.cancel_after ? ", cancelled after " + ms_of(*r.cancel_after) : "", "\n");
  }
  for (const Fault& f : s.faults) text += "  " + in_words(f, s) + "\n";
  return text;
}

}  // namespace ferry::sim
