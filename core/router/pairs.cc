#include "core/router/pairs.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/hash.h"

namespace ferry {

namespace {
constexpr Duration kPatience = std::chrono::seconds(10);  // with a pair that was introduced and is not ready: at first
constexpr int kMostPatience = 3;                          // doublings of it: a slow machine has to get there in the end
constexpr Duration kFirstPause = std::chrono::milliseconds(100);
constexpr int kMostDoublings = 6;
}  // namespace

void Pairs::join(StreamId prefill, StreamId decode, const wire::GroupInfo& from, const wire::GroupInfo& to) {
  Pair& pair = pairs_[{prefill, decode}];
  pair = {.prefill = prefill,
          .decode = decode,
          .report = {.prefill = from.key.name, .decode = to.key.name, .transport = {}},
          .next = {}};
  infos_[{prefill, decode}] = {.from = from, .to = to};
  introduce(pair);
}

void Pairs::leave(StreamId stream, const std::string& why) {
  for (auto entry = pairs_.begin(); entry != pairs_.end();) {
    Pair& pair = entry->second;
    if (pair.prefill == stream || pair.decode == stream) {
      stop(pair, why);
      infos_.erase(entry->first);
      entry = pairs_.erase(entry);
    } else {
      ++entry;
    }
  }
}

void Pairs::introduce(Pair& pair) {
  const uint64_t n = ++n_introduced_;
  pair.pairing = hash_of({reinterpret_cast<const char*>(&n), sizeof n}, epoch_) | 1;
  pair.next = clock_.now() + kPatience * (1 << std::min(pair.n_failures, kMostPatience));
  const Infos& infos = infos_.at({pair.prefill, pair.decode});
  to_leaders_.emplace_back(pair.decode,
                           wire::Introduce{.pairing = pair.pairing, .peer = infos.from, .you_send = false});
  to_leaders_.emplace_back(pair.prefill, wire::Introduce{.pairing = pair.pairing, .peer = infos.to, .you_send = true});
}

// Until its next introduction the pair is none.
void Pairs::stop(Pair& pair, const std::string& why) {
  if (pair.pairing == 0) return;
  for (const StreamId stream : {pair.prefill, pair.decode})
    to_leaders_.emplace_back(stream, wire::Forget{.pairing = pair.pairing, .why = why});
  pair.pairing = 0;
  if (std::exchange(pair.ready, false)) ++n_changes_;
  pair.next = clock_.now() + kFirstPause * (1 << std::min(pair.n_failures++, kMostDoublings));
}

void Pairs::tick() {
  const Instant now = clock_.now();
  for (auto& [streams, pair] : pairs_) {
    if (pair.ready || now < pair.next) continue;
    if (pair.pairing != 0) {
      stop(pair, "the pair did not become ready");
    } else {
      introduce(pair);
    }
  }
}

Pairs::Pair* Pairs::named(wire::Pairing pairing) {
  for (auto& [streams, pair] : pairs_) {
    if (pairing != 0 && pair.pairing == pairing) return &pair;
  }
  return nullptr;
}

const Pairs::Pair* Pairs::find(StreamId prefill, StreamId decode) const {
  const auto found = pairs_.find({prefill, decode});
  return found == pairs_.end() ? nullptr : &found->second;
}

void Pairs::opened(StreamId stream, const wire::Opened& m) {
  const Pair* pair = named(m.pairing);
  if (!pair || (pair->prefill != stream && pair->decode != stream)) {
    to_leaders_.emplace_back(stream, wire::Forget{.pairing = m.pairing, .why = "that pair is over"});
    return;
  }
  const StreamId other = pair->prefill == stream ? pair->decode : pair->prefill;
  to_leaders_.emplace_back(other, wire::Connect{.pairing = m.pairing, .addresses = m.addresses});
}

std::optional<std::string> Pairs::refusal_of(const wire::Paired& path) const {
  if (rules_.require_rdma && path.transport != "rdma" && path.transport != "rdma+staged") {
    return str("it runs over ", path.transport,
               " and link.require is rdma. Check `ferry doctor`, or set link.require: any");
  }
  const double slowest = std::min(path.there.gb_per_s, path.back.gb_per_s);
  if (slowest < rules_.min_gb_per_s) {
    return str("it measures ", slowest, " GB/s over ", path.transport, " and link.min_gb_per_s is ",
               rules_.min_gb_per_s,
               ". Check what else uses the network and link.transport, or set link.min_gb_per_s lower");
  }
  return std::nullopt;
}

std::optional<std::string> Pairs::paired(StreamId decode, const wire::Paired& m) {
  Pair* pair = named(m.pairing);
  if (!pair || pair->decode != decode) return std::nullopt;
  pair->report.transport = m.transport;
  pair->report.there = m.there;
  pair->report.back = m.back;
  if (const auto why = refusal_of(m)) {
    // Once said, it is tried again in silence: the network may get better.
    const bool news = !std::exchange(pair->refused, true);
    stop(*pair, *why);
    if (!news) return std::nullopt;
    return str("path ", pair->report.prefill, " → ", pair->report.decode, " refused: ", *why);
  }
  if (!std::exchange(pair->ready, true)) ++n_changes_;
  pair->refused = false;
  pair->n_failures = 0;
  return std::nullopt;
}

std::optional<std::pair<StreamId, StreamId>> Pairs::unpaired(StreamId stream, const wire::Unpaired& m) {
  Pair* pair = named(m.pairing);
  if (!pair || (pair->prefill != stream && pair->decode != stream)) return std::nullopt;
  stop(*pair, m.why);
  return std::pair(pair->prefill, pair->decode);
}

void Pairs::broke(StreamId prefill, StreamId decode, const std::string& why) {
  const auto found = pairs_.find({prefill, decode});
  if (found != pairs_.end()) stop(found->second, why);
}

}  // namespace ferry
