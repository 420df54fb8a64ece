#include "tests/sim/sim_group.h"

#include <algorithm>
#include <limits>

#include "core/base/codec.h"
#include "core/base/error.h"
#include "core/handoff/path_probe.h"

namespace ferry::sim {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

wire::GroupInfo info_of(const GroupPlan& plan, uint64_t epoch) {
  return {.key = {plan.name, epoch},
          .role = plan.role,
          .model_hash = kModelHash,
          .max_context = 64,
          .max_sequences = plan.limits.max_sequences,
          .layouts = layouts_of(plan.tp, plan.n_pages),
          .ops = "fake"};
}

}  // namespace

SimGroup::Seat::Seat(const wire::GroupInfo& info, int number, SimLink& rank_link, const Clock& clock)
    : place(number, static_cast<int>(info.layouts.size())),
      link(rank_link),
      layout(info.layouts[number]),
      model(info.layouts, number, link.memory()),
      shipper(number, info.layouts, {link, device}, clock),
      rank({.batch = [this](const Batch& batch, const LayerDone& done) { return model.forward(batch, done); },
            .logits = {}},  // what ranks say to each other, the simulation carries
           info.layouts[number], kVocabulary, place, shipper) {}

SimGroup::SimGroup(const Surroundings& around, Life life, Fabric& fabric, Switchboard& switchboard)
    : around_(around),
      plan_(around.schedule.groups[life.host]),
      process_(life.host),
      info_(info_of(plan_, life.epoch)),
      engine_({.me = info_,
               .end_tokens = {kEndToken},
               .n_vocab = kVocabulary,
               .limits = plan_.limits,
               .overlap = plan_.overlap,
               .verify = around.schedule.verify,
               .seed = around.random.next()},
              around.timeline),
      control_(switchboard, process_) {
  for (int rank = 0; rank < plan_.tp; ++rank) {
    SimLink& link = fabric.make_link(process_, info_.layouts[rank].bytes(), kProbeBytes);
    Seat& seat = seats_.emplace_back(info_, rank, link, around.timeline);
    link.on_event = [this] { wake(); };
    link.on_landing = [this, &seat](ChannelId channel, const Piece& piece) { check_landing(seat, channel, piece); };
  }
  control_.on_event = [this] { wake(); };
  switchboard.dial(control_);
  tick();
}

// ---- turns

void SimGroup::wake() {
  if (std::exchange(turn_planned_, true)) return;
  around_.timeline.after(around_.random.between(microseconds(5), microseconds(80)), [this] {
    process_.when_running([this] {
      turn_planned_ = false;
      turn();
    });
  });
}

void SimGroup::tick() {
  if (process_.ended()) return;
  wake();
  around_.timeline.after(engine_.stats().idle() ? milliseconds(20) : milliseconds(4), [this] { tick(); });
}

void SimGroup::turn() {
  if (step_ || process_.ended()) return;
  for (Seat& seat : seats_) seat.shipper.progress();
  listen();
  for (const PeerMessage& m : seats_[0].shipper.take_messages()) engine_.handle(m.from, m.message);
  engine_.tick();
  check_deadlines();
  if (auto step = engine_.next_step()) begin(std::move(*step));
  speak();
  check_pages();
}

void SimGroup::listen() {
  while (const auto event = control_.poll()) hear(*event);
  if (engine_.refused()) throw Violation(str("the router refuses ", plan_.name, ": ", *engine_.refused()));
}

void SimGroup::hear(const ControlEvent& event) {
  if (const auto* opened = std::get_if<StreamOpened>(&event)) {
    stream_ = opened->stream;
    control_.send(*stream_, pack<wire::ToRouter>(wire::Hello{.group = info_}));
  } else if (const auto* message = std::get_if<StreamMessage>(&event)) {
    if (message->stream != stream_) return;
    const auto order = unpack<wire::ToLeader>(message->bytes);
    if (order) note_deadline(*order);
    if (order) return engine_.handle(*order);
    around_.log.line(plan_.name, "hears garbage from the router");
    control_.close(message->stream);
  } else if (std::get<StreamClosed>(event).stream == stream_) {
    around_.log.line(plan_.name, "loses the router: " + std::get<StreamClosed>(event).why);
    stream_.reset();
    engine_.router_lost();
  }
}

void SimGroup::speak() {
  for (const wire::ToRouter& message : engine_.take_to_router()) {
    around_.log.said(plan_.name, "router", message);
    if (stream_) control_.send(*stream_, pack(message));
  }
  for (const LeaderMessage& m : engine_.take_to_leaders()) {
    around_.log.said(plan_.name, str("leader of ", m.group), m.message);
    seats_[0].shipper.send_to_leader(m.group, m.message);
  }
}

// ---- steps

Duration SimGroup::length_of_step() {
  if (step_->batch.n_rows() == 0) return microseconds(150);
  return around_.random.between(microseconds(500), microseconds(2500));
}

void SimGroup::begin(Step step) {
  step_ = std::move(step);
  step_bytes_ = pack(*step_);
  check_step();
  const Duration length = length_of_step();
  for (Seat& seat : seats_) {
    const Duration start = around_.random.between(Duration{}, length);
    around_.timeline.after(start, [this, &seat] { process_.when_running([this, &seat] { execute(seat); }); });
  }
  around_.timeline.after(length, [this] { process_.when_running([this] { finish(); }); });
}

void SimGroup::execute(Seat& seat) {
  seat.rank.execute(*step_);
  seat.shipper.progress();
}

void SimGroup::finish() {
  check_seen();
  StepResult result;
  std::vector<Digests> digests;
  for (Seat& seat : seats_) {
    result.receipts.push_back(seat.rank.receipt(*step_, step_bytes_));
    for (const OpenedChannel& opened : result.receipts.back().opened) {
      seat.groups[SimLink::channel_at(opened.address)] = opened.group;
    }
    check_verified(result.receipts.back());
    digests.push_back(std::move(result.receipts.back().digests));
  }
  result.digests = merged(digests, step_->batch);
  for (RowDigest& digest : result.digests) {
    if (!around_.weather.strikes(FaultKind::blank, process_.host(), process_.host())) continue;
    for (Candidate& candidate : digest.best) candidate.logit = -std::numeric_limits<float>::infinity();
  }
  const std::vector<int> asked = engine_.choose(result.digests);
  if (!asked.empty() && !step_->batch.may_ask) throw Violation(str(plan_.name, " asks for logits that nobody keeps"));
  const bool last = step_->last;
  step_.reset();
  engine_.finish(result, asked_logits(asked));
  speak();
  check_pages();
  if (last) return process_.end();
  turn();
}

// Ranks hold parts of the vocabulary.
std::vector<float> SimGroup::asked_logits(const std::vector<int>& rows) {
  std::vector<float> logits;
  for (const int row : rows) {
    for (Seat& seat : seats_) {
      const auto part = seat.model.logits({row});
      logits.insert(logits.end(), part.begin(), part.end());
    }
  }
  return logits;
}

// ---- invariants

// All must have computed from the same KV.
void SimGroup::check_seen() const {
  for (size_t row = 0; row < step_->batch.logit_rows.size(); ++row) {
    for (const Seat& seat : seats_) {
      if (seat.model.seen()[row] != seats_[0].model.seen()[row])
        throw Violation(str("ranks of ", plan_.name, " see different KV of one sequence"));
    }
  }
}

void SimGroup::check_landing(const Seat& seat, ChannelId channel, const Piece& piece) const {
  const auto group = seat.groups.find(channel);
  if (group == seat.groups.end())
    throw Violation(str("somebody writes to ", plan_.name, " through no channel of a group"));
  const uint64_t run = seat.layout.layer_bytes();  // of one layer in one page
  for (uint64_t i = piece.to / run; i * run < piece.to + piece.bytes; ++i) {
    const int page = static_cast<int>(i % seat.layout.n_pages());
    if (engine_.may_write(group->second, page)) continue;
    throw Violation(
        str("a put lands in page ", page, " of ", plan_.name, ", for which group ", group->second, " has no ticket"));
  }
}

// What landed is what was sent, unless a fault made it something else.
void SimGroup::check_verified(const StepReceipt& receipt) const {
  for (const Verified& verified : receipt.verified) {
    if (!verified.mismatch.empty() && !around_.schedule.has(FaultKind::corrupt))
      throw Violation(str("in ", plan_.name, ", ", verified.mismatch));
  }
}

// Nobody computes into a page that another sequence of the batch uses, or that another group may write.
void SimGroup::check_step() const {
  const Batch& batch = step_->batch;
  std::map<int, int> uses;
  for (const int page : batch.pages) ++uses[page];
  for (int s = 0; s < batch.n_sequences(); ++s) {
    for (int row = batch.row_begin[s]; row < batch.row_begin[s + 1]; ++row) {
      const int page = batch.pages[batch.page_begin[s] + batch.positions[row] / kPageTokens];
      if (uses[page] != 1) throw Violation(str("page ", page, " of ", plan_.name, " is computed into and shared"));
      for (const auto& [channel, group] : seats_[0].groups) {
        if (engine_.may_write(group, page))
          throw Violation(str("page ", page, " of ", plan_.name, " is computed into and out on a ticket"));
      }
    }
  }
}

void SimGroup::check_pages() const {
  const wire::PageCounts pages = engine_.stats().pages;
  if (pages.total() != plan_.n_pages || std::min({pages.free, pages.leased, pages.shared, pages.quarantined}) < 0) {
    throw Violation(str("pages of ", plan_.name, " do not add up: ", pages.free, " free, ", pages.leased, " leased, ",
                        pages.shared, " shared, ", pages.quarantined, " quarantined of ", plan_.n_pages));
  }
}

void SimGroup::note_deadline(const wire::ToLeader& order) {
  std::visit(
      [this](const auto& m) {
        if constexpr (requires { m.deadline_ms; }) deadlines_.insert(around_.timeline.now() + ms(m.deadline_ms));
      },
      order);
}

// A group ends what is late by itself, whether or not the router asks for it.
void SimGroup::check_deadlines() {
  deadlines_.erase(deadlines_.begin(), deadlines_.upper_bound(around_.timeline.now()));
  const wire::Stats stats = engine_.stats();
  if (stats.n_waiting + stats.n_running + stats.n_reserved > static_cast<int>(deadlines_.size()))
    throw Violation(str(plan_.name, " goes on with a request whose deadline has passed"));
}

void SimGroup::check_at_rest() const {
  const wire::Stats stats = engine_.stats();
  if (stats.idle() && stats.pages.free == plan_.n_pages) return;
  throw Violation(str(plan_.name, " does not come to rest: ", stats.n_waiting, " waiting, ", stats.n_running,
                      " running, ", stats.n_reserved, " reserved, ", stats.n_shipping,
                      " shipping; pages: ", stats.pages.free, " free, ", stats.pages.leased, " leased, ",
                      stats.pages.shared, " shared, ", stats.pages.quarantined, " quarantined of ", plan_.n_pages));
}

}  // namespace ferry::sim
