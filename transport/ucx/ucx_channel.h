#pragma once
// One channel of a UcxLink: a UCX worker of its own, with its address, its endpoints, and everyone who may write
// through it. When it goes, its sockets and queue pairs go with it; nobody else's do.
//
// How it closes:
//   1. Every peer is told Goodbye, and gets a Farewell once what we have put is in. Then its endpoint is closed by
//      force, after a moment also when it does not listen. Closed.
//   2. Who shares memory with us could still write. We wait until it has said Farewell, as a peer that is in order does
//      at its next poll, or until its process has ended. While it is silent, the courier says Goodbye again.
//   3. The worker goes. Fenced. Farewells that did not get out by then, the courier delivers.

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/seam/kv_link.h"
#include "transport/ucx/ucx_courier.h"
#include "transport/ucx/ucx_endpoint.h"
#include "transport/ucx/ucx_greeting.h"
#include "transport/ucx/ucx_handles.h"
#include "transport/ucx/ucx_inbox.h"
#include "transport/ucx/ucx_memory.h"
#include "transport/ucx/ucx_requests.h"

namespace ferry {

struct UcxCommon {  // to the channels of a link
  UcxCommon(UcxContext its_context, const UcxOptions& options)
      : context(std::move(its_context)),
        memory(options.card_memory.empty() ? UcxMemory(context.get(), options.memory_bytes)
                                           : UcxMemory(context.get(), options.card_memory)),
        courier(context.get()) {}

  UcxContext context;
  UcxMemory memory;
  UcxCourier courier;
  std::deque<LinkEvent> events;
  LinkCounters counters;
  PeerId next_peer = 0;
};

class UcxChannel {
 public:
  UcxChannel(UcxCommon& link, ChannelId id);  // `link` outlives it
  ~UcxChannel();
  UcxChannel(const UcxChannel&) = delete;
  UcxChannel& operator=(const UcxChannel&) = delete;

  std::string address() const { return packed(address_); }
  PeerId connect(const UcxAddress& address);
  UcxEndpoint* find(PeerId peer) const;  // nullptr: nobody connected to such a one

  void progress();

  void close();  // progress() does the rest
  bool is_closed() const { return closed_; }
  bool is_fenced() const { return closed_ && !worker_ && writers_.empty(); }  // then it may be destroyed

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Peer {
    std::unique_ptr<UcxEndpoint> endpoint = nullptr;
    std::set<PeerId> connections = {};  // of the peer, that have our key
    bool is_guest = false;              // came by itself: nobody connected to it, so nobody hears of it
  };
  struct Writer {
    UcxAddress peer;
    PeerId connection = 0;
  };

  UcxInbox::Handlers handlers();
  PeerId add_peer(const UcxAddress& address, bool is_guest);
  std::map<PeerId, Peer>::iterator usable_peer(const std::string& worker);
  void tell_broken(PeerId peer, std::string why);
  void say_goodbye(PeerId id, Peer& peer, const std::string& from);

  void handle_greetings();
  void handle(const Hello& hello);
  void handle(const Welcome& welcome);
  void handle(const Goodbye& goodbye);
  void handle(const Farewell& farewell);

  void end_endpoints();
  void leave(PeerId id, const Peer& peer);
  void remind_writers(Time now);
  void look_after_peers(Time now);
  void progress_close(Time now);
  void end_worker();

  UcxCommon& link_;
  const ChannelId id_;
  std::deque<UcxGreeting> greetings_;  // to be handled
  Time next_look_;
  bool closing_ = false, closed_ = false;
  Time hurry_at_, give_up_at_;  // when closing
  Time next_reminder_;
  int n_reminders_ = 0;
  std::vector<Writer> writers_;  // when closing: who shares memory with us and has its key
  // In the order in which UCX wants them unmade: what a request touches outlives the worker.
  UcxRequests requests_;
  std::map<PeerId, Peer> peers_;
  UcxWorker worker_;
  const UcxAddress address_;
  UcxInbox inbox_;
};

}  // namespace ferry
