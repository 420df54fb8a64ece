#include "core/handoff/shipper.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/base/codec.h"
#include "core/base/error.h"
#include "core/handoff/checksum.h"
#include "core/handoff/peers.h"

namespace ferry {

namespace {

// Posted to one peer rank at a time: enough to keep any link full, little enough that what is due first goes first.
constexpr uint64_t kWindowBytes = 4 << 20;

bool holds(const std::map<ChannelId, GroupId>& channels, GroupId group) {
  return std::any_of(channels.begin(), channels.end(), [group](const auto& entry) { return entry.second == group; });
}

std::string joined_names(const std::set<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : "+") + name;
  return all;
}

}  // namespace

Shipper::Shipper(int rank, std::vector<KvLayout> layouts, const KvPlace& kv, const Clock& clock, Milestones milestones)
    : rank_(rank),
      layouts_(std::move(layouts)),
      link_(kv.link),
      device_(kv.device),
      clock_(clock),
      milestones_(std::move(milestones)),
      sums_(kv.device, layouts_[rank], kv.link.memory()) {
  check(link_.memory().size() >= layouts_[rank].bytes() + kProbeBytes, "the link has memory for pages and probes");
  device_.watch(this, [this](Duration) { progress(); });
}

Shipper::~Shipper() { device_.watch(this, {}); }

// ---- channels

void Shipper::open(GroupId group) {
  milestones_.reach("open");
  Peer& peer = peers_[group];
  peer.channel = link_.open();
  receipt_.opened.push_back({.group = group, .address = link_.address(peer.channel)});
}

void Shipper::connect(const ConnectOrder& order) {
  const auto found = peers_.find(order.group);
  if (found == peers_.end()) return;
  Peer& peer = found->second;
  peer.info = order.info;
  peer.send = order.send;
  const auto mine = shards_of(layouts_), theirs = shards_of(order.info.layouts);
  const ReshardPlan plan = order.send ? ReshardPlan(mine, theirs) : ReshardPlan(theirs, mine);
  std::set<int> wanted;
  for (const Transfer& t : plan.transfers()) {
    if ((order.send ? t.source : t.destination) != rank_) continue;
    peer.transfers.push_back(t);
    wanted.insert(order.send ? t.destination : t.source);
  }
  // The peer's leader is spoken to by our leader, and by every rank that sends.
  if (rank_ == 0 || (order.send && !peer.transfers.empty())) wanted.insert(0);
  for (const int rank : wanted) {
    if (!connect_rank(peer, rank, order.addresses[rank]))
      return fail(order.group, str("rank ", rank, " has not the KV memory that it claims"));
  }
  for (const int rank : wanted) post_probe(order.group, rank);
  milestones_.reach("connecting");
}

// The address comes from the peer, by way of the router: it may be anything.
bool Shipper::connect_rank(Peer& peer, int rank, const std::string& address) {
  try {
    const PeerId id = link_.connect(peer.channel, address);
    peer.ranks.emplace(rank, PeerRank{.id = id, .probe = {}, .queue = SendQueue(kWindowBytes)});
    return link_.memory_bytes(id) >= peer.info.layouts[rank].bytes() + kProbeBytes;
  } catch (const Error&) {
    return false;
  }
}

void Shipper::close(GroupId group) {
  const auto found = peers_.find(group);
  if (found == peers_.end()) {  // never opened; or it failed, and is closing or closed
    if (!holds(closing_, group)) receipt_.closed.push_back(group);
    if (!holds(fencing_, group)) receipt_.fenced.push_back(group);
    return;
  }
  const ChannelId channel = found->second.channel;
  peers_.erase(found);
  closing_[channel] = group;
  fencing_[channel] = group;
  std::erase_if(launched_, [group](const Launched& launched) { return launched.group == group; });
  std::erase_if(flights_, [group](const auto& entry) { return entry.second.group == group; });
  link_.close(channel);
}

void Shipper::fail(GroupId group, std::string why) {
  const auto peer = peers_.find(group);
  if (peer == peers_.end()) return;
  receipt_.failures.push_back({.group = group, .why = std::move(why)});
  close(group);  // a group is there as a whole or not at all
}

// ---- probes

void Shipper::post_probe(GroupId group, int rank) {
  const Peer& peer = peers_.at(group);
  const PeerRank& to = peer.ranks.at(rank);
  const PathProbe::Round round = to.probe.round();
  const Piece piece = {.from = layouts_[rank_].bytes(), .to = peer.info.layouts[rank].bytes(), .bytes = round.bytes};
  fly(to.id, std::vector<Piece>(round.repeat, piece), {.group = group, .rank = rank, .probe = true, .ticket = {}});
}

void Shipper::tell_measured() {
  for (auto& [group, peer] : peers_) {
    if (peer.measured || peer.info.layouts.empty()) continue;
    wire::Speed slowest;
    std::set<std::string> transports;
    bool over = true;
    for (const auto& [rank, to] : peer.ranks) {
      over &= to.probe.over();
      take_slower(slowest, to.probe.speed());
      transports.insert(link_.transport(to.id));
    }
    if (!over) continue;
    peer.measured = true;
    receipt_.measured.push_back({.group = group, .speed = slowest});
    if (peer.send && !peer.transfers.empty())
      send_to_leader(group, wire::PairHello{.rank = rank_, .transport = joined_names(transports), .speed = slowest});
  }
}

// ---- shipping

void Shipper::ship_layer(const ShipOrder& order, int layer, std::span<const int> pages) {
  const auto peer = peers_.find(order.group);
  if (peer == peers_.end()) return;  // it broke; the leader knows or will be told with the next receipt
  Shipment& shipment = shipments_[order.ticket];
  shipment.group = order.group;
  const Mark mark = device_.mark();
  for (const Transfer& transfer : peer->second.transfers) {
    if (!transfer.part.layers.contains(layer)) continue;
    const int to = transfer.destination;
    Load load = {.ticket = order.ticket,
                 .due = clock_.now() + ms(order.due_ms),
                 .pieces = pieces_of(transfer, {layouts_[rank_], pages}, {peer->second.info.layouts[to], order.pages},
                                     layer, order.tokens)};
    for (const Piece& piece : load.pieces) load.bytes += piece.bytes;
    shipment.bytes += load.bytes;
    ++shipment.n_loads;
    launched_.push_back({.mark = mark,
                         .group = order.group,
                         .rank = to,
                         .load = std::move(load),
                         .verify = order.verify,
                         .part = {.layer = layer, .heads = transfer.part.heads, .tokens = order.tokens},
                         .pages = {pages.begin(), pages.end()}});
  }
  milestones_.reach("ship");
  progress();
}

void Shipper::queue_computed() {
  while (!launched_.empty() && device_.reached(launched_.front().mark)) {
    Launched launched = std::move(launched_.front());
    launched_.pop_front();
    sum(launched);
    peers_.at(launched.group).ranks.at(launched.rank).queue.push(std::move(launched.load));
    post_loads(launched.group, launched.rank);
  }
}

void Shipper::sum(const Launched& launched) {
  const wire::TicketName ticket = launched.load.ticket;
  ++shipments_.at(ticket).n_loads;
  sums_.start(launched.verify, {&launched.part, 1}, launched.pages, [this, ticket, to = launched.rank](uint64_t sum) {
    const auto shipment = shipments_.find(ticket);
    if (shipment == shipments_.end()) return;  // its group is gone
    shipment->second.sums[to] += sum;
    --shipment->second.n_loads;
    end_if_landed(ticket);
  });
}

void Shipper::post_loads(GroupId group, int rank) {
  PeerRank& to = peers_.at(group).ranks.at(rank);
  while (auto load = to.queue.next()) {
    fly(to.id, load->pieces, {.group = group, .rank = rank, .ticket = load->ticket, .bytes = load->bytes});
  }
}

void Shipper::fly(PeerId peer, std::span<const Piece> pieces, Flight flight) {
  flight.posted = clock_.now();
  flights_[next_tag_] = flight;
  link_.put(peer, pieces);
  link_.flush(peer, next_tag_++);
}

void Shipper::finish(const ShipOrder& order) {
  milestones_.reach("finish");
  Shipment& shipment = shipments_[order.ticket];
  shipment.group = order.group;
  shipment.finishing = true;
  shipment.computed = computed_;
  end_if_landed(order.ticket);
}

void Shipper::give_up(const GiveUpOrder& order) {
  Shipment& shipment = shipments_[order.ticket];  // perhaps nothing was shipped yet: then it ends at once
  shipment.group = order.group;
  if (shipment.finishing) return;
  shipment.finishing = true;
  shipment.complete = false;
  shipment.computed = clock_.now();
  const auto is_of_ticket = [&](const Launched& launched) { return launched.load.ticket == order.ticket; };
  shipment.n_loads -= static_cast<int>(std::erase_if(launched_, is_of_ticket));
  const auto peer = peers_.find(order.group);
  if (peer != peers_.end()) {
    for (auto& [rank, to] : peer->second.ranks) shipment.n_loads -= to.queue.drop(order.ticket);
  }
  end_if_landed(order.ticket);
}

void Shipper::end_if_landed(const wire::TicketName& ticket) {
  const auto found = shipments_.find(ticket);
  if (found == shipments_.end() || !found->second.finishing) return;
  const auto peer = peers_.find(found->second.group);
  // Of a group that is gone, a shipment ends when nothing reads its pages any more: see Closed.
  if (peer == peers_.end() ? holds(closing_, found->second.group) : found->second.n_loads > 0) return;
  const Shipment shipment = std::move(found->second);
  shipments_.erase(found);
  receipt_.drained.push_back(ticket);
  if (peer == peers_.end() || peer->second.transfers.empty()) return;  // not a source: nobody waits for us
  wire::Landed landed = {.ticket = ticket,
                         .rank = rank_,
                         .complete = shipment.complete,
                         .bytes = shipment.bytes,
                         .sums = {},
                         .exposed_ms = ms_between(shipment.computed, clock_.now())};
  for (const auto& [rank, sum] : shipment.sums) landed.sums.push_back({.destination = rank, .sum = sum});
  milestones_.reach("landing");
  send_to_leader(shipment.group, landed);
}

void Shipper::verify(const VerifyOrder& order) {
  milestones_.reach("verify");
  const auto peer = peers_.find(order.group);
  if (peer == peers_.end()) return;  // it is gone, and the attempt with it
  ++verifying_[order.attempt].n_sums;
  for (const VerifyOrder::Sent& sent : order.sent) {
    if (sent.sum.destination != rank_) continue;
    std::vector<KvPart> parts;
    for (const Transfer& t : peer->second.transfers) {
      if (t.source != sent.source) continue;
      for (int layer = t.part.layers.begin; layer < t.part.layers.end; ++layer)
        parts.push_back({.layer = layer, .heads = t.part.heads, .tokens = order.tokens});
    }
    ++verifying_[order.attempt].n_sums;
    sums_.start(order.verify, parts, order.pages,
                [this, attempt = order.attempt, sent, name = peer->second.info.key.name](uint64_t sum) {
                  if (sum == sent.sum.sum) return summed(attempt, {});
                  summed(attempt, str("what rank ", sent.source, " of ", name, " sent to rank ", rank_,
                                      " is not what landed: checksum ", sum, ", not ", sent.sum.sum));
                });
  }
  summed(order.attempt, {});
}

void Shipper::summed(const wire::Attempt& attempt, const std::string& mismatch) {
  Verifying& verifying = verifying_.at(attempt);
  if (!mismatch.empty()) verifying.mismatch = mismatch;
  if (--verifying.n_sums > 0) return;
  receipt_.verified.push_back({.attempt = attempt, .mismatch = std::move(verifying.mismatch)});
  verifying_.erase(attempt);
}

void Shipper::send_to_leader(GroupId group, const wire::LinkMessage& message) {
  const auto peer = peers_.find(group);
  if (peer == peers_.end()) return;
  const auto leader = peer->second.ranks.find(0);
  if (leader != peer->second.ranks.end()) link_.send(leader->second.id, pack(message));
}

// ---- events

void Shipper::progress() {
  queue_computed();
  sums_.poll();
  while (const auto event = link_.poll()) {
    std::visit([this](const auto& e) { handle(e); }, *event);
  }
  tell_measured();
}

void Shipper::handle(const Flushed& event) {
  const auto found = flights_.find(event.tag);
  if (found == flights_.end()) return;
  const Flight flight = found->second;
  flights_.erase(found);
  PeerRank& to = peers_.at(flight.group).ranks.at(flight.rank);
  if (flight.probe) {
    to.probe.flushed(clock_.now() - flight.posted);
    if (!to.probe.over()) post_probe(flight.group, flight.rank);
    return;
  }
  to.queue.landed(flight.bytes);
  --shipments_.at(flight.ticket).n_loads;
  end_if_landed(flight.ticket);
  post_loads(flight.group, flight.rank);
}

void Shipper::handle(const Received& event) {
  auto message = unpack<wire::LinkMessage>(event.bytes);
  if (!message) {
    ++n_refused_messages_;
    return;
  }
  for (const auto& [group, peer] : peers_) {
    if (peer.channel != event.channel) continue;
    messages_.push_back({.from = group, .message = std::move(*message)});
    return;
  }
}

void Shipper::handle(const Broken& event) {
  for (const auto& [group, peer] : peers_) {
    for (const auto& [rank, to] : peer.ranks) {
      if (to.id == event.peer) return fail(group, str(peer.info.key.name, " rank ", rank, ": ", event.why));
    }
  }
}

void Shipper::handle(const Closed& event) {
  const auto found = closing_.find(event.channel);
  if (found == closing_.end()) return;
  const GroupId group = found->second;
  closing_.erase(found);
  receipt_.closed.push_back(group);
  std::erase_if(shipments_, [&](const auto& entry) {
    if (entry.second.group == group) receipt_.drained.push_back(entry.first);
    return entry.second.group == group;
  });
}

void Shipper::handle(const Fenced& event) {
  const auto found = fencing_.find(event.channel);
  if (found == fencing_.end()) return;
  receipt_.fenced.push_back(found->second);
  fencing_.erase(found);
}

std::vector<PeerMessage> Shipper::take_messages() { return std::exchange(messages_, {}); }
StepReceipt Shipper::take_receipt() { return std::exchange(receipt_, {}); }
uint64_t Shipper::n_refused_messages() const { return n_refused_messages_ + link_.counters().messages_refused; }

}  // namespace ferry
