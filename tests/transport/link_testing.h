#pragma once
// How tests drive links: polled in turn by the calling thread, what they report is kept, every wait has an end.

#include <chrono>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/seam/kv_link.h"

namespace ferry {

// A link with an open channel, and everything that it has reported.
struct Observed {
  std::unique_ptr<KvLink> link = nullptr;
  ChannelId channel = link ? link->open() : -1;
  std::vector<Flushed> flushed = {};
  std::vector<std::string> received = {};
  std::vector<ChannelId> received_through = {};
  std::vector<Broken> broken = {};
  std::vector<ChannelId> closed = {};
  std::vector<ChannelId> fenced = {};

  KvLink* operator->() const { return link.get(); }
  std::string address() const { return link->address(channel); }
  PeerId connect(const std::string& address) const { return link->connect(channel, address); }
  PeerId connect(const Observed& other) const { return connect(other.address()); }
  void put(PeerId peer, const Piece& piece) const { link->put(peer, {&piece, 1}); }

  bool poll() {  // whether there was an event
    auto event = link->poll();
    if (!event) return false;
    if (auto* e = std::get_if<Flushed>(&*event)) flushed.push_back(*e);
    if (auto* e = std::get_if<Broken>(&*event)) broken.push_back(std::move(*e));
    if (auto* e = std::get_if<Closed>(&*event)) closed.push_back(e->channel);
    if (auto* e = std::get_if<Fenced>(&*event)) fenced.push_back(e->channel);
    if (auto* e = std::get_if<Received>(&*event)) {
      received.push_back(std::move(e->bytes));
      received_through.push_back(e->channel);
    }
    return true;
  }
};

// Polls all of them until `done`; false when that does not come, even on a slow and busy machine.
inline bool until(const std::function<bool()>& done, std::initializer_list<Observed*> polled) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    bool idle = true;
    for (Observed* link : polled) idle &= !link->poll();
    if (idle) std::this_thread::yield();
  }
  return true;
}

}  // namespace ferry
