// Groups that are let in, and lie.

#include <utility>

#include "core/base/hash.h"
#include "core/handoff/path_probe.h"
#include "core/kv/content.h"
#include "core/kv/dtype.h"
#include "tests/transport/control/intruder.h"
#include "transport/staged/staged_link.h"
#include "transport/ucx/ucx_link.h"

namespace ferry {
namespace {

constexpr int kManyRequests = 64;

class Member : public Intruder {
 public:
  using Intruder::Intruder;

 protected:
  void opened() override { say(wire::Hello{.group = info_}); }

  // The address of a rank with that much memory.
  std::string memory_of(size_t bytes) {
    link_ = make_staged_link(make_ucx_link({.memory_bytes = bytes}));
    channel_ = link_->open();
    return link_->address(channel_);
  }

  ChannelId channel_ = -1;
};

class Liar final : public Member {
 public:
  using Member::Member;

 private:
  void told(const wire::Introduce& m) override {
    const std::string address = n_told_++ == 0 ? memory_of(1 << 16) : "nowhere";
    say(wire::Opened{.pairing = m.pairing, .addresses = {address}});
  }
  void told(const wire::Forget& m) override {
    Intruder::told(m);
    if (++n_forgotten_ == 2) leave();
  }
  int n_told_ = 0, n_forgotten_ = 0;
};

class Forger final : public Member {
 public:
  using Member::Member;

 private:
  void told(const wire::Introduce& m) override {
    say(wire::Opened{.pairing = m.pairing, .addresses = {memory_of(info_.layouts[0].bytes() + kProbeBytes)}});
    say(wire::Paired{.pairing = m.pairing, .transport = "shm", .there = {9, 1}, .back = {9, 1}});
  }

  void told(const wire::Reserve& m) override {
    forge_all_but(m.attempt);
    const int n_pages = info_.layouts[0].pages_for(static_cast<int>(m.request.prompt.size()));
    wire::Ticket ticket = {.name = {.attempt = m.attempt, .serial = ++n_reserves_, .key = 1}, .pairing = m.pairing};
    for (int page = 0; page < n_pages; ++page) ticket.pages.push_back({.page = page, .generation = 1});
    if (n_reserves_ == 1) {
      ticket.pages[0].page = info_.n_pages();  // where there is none
    } else {
      ticket.pairing = first_pairing(m.attempt.router);  // pages of the group that serves the others
      if (ticket.pairing == m.pairing) throw Error("it was to be another pair's");
    }
    print("reserves", str(m.attempt.request, " ", n_reserves_));
    say(wire::Reserved{.ticket = ticket});
  }
  void told(const wire::Run& m) override {
    forge_all_but(m.attempt);
    say(wire::Aborted{.attempt = m.attempt});
    if (++n_runs_ == 2) leave();
  }

  // What a member can say of requests that others serve.
  void forge_all_but(const wire::Attempt& mine) {
    for (int i = 0; i < kManyRequests; ++i) {
      const wire::Attempt attempt = {.router = mine.router, .request = static_cast<RequestId>(i), .attempt = 1};
      if (attempt.request == mine.request) continue;
      say(wire::Tokens{.attempt = attempt, .first = 0, .tokens = {{.id = 17}}, .finish = Finish::stop, .bill = {}});
      say(wire::Failed{.attempt = attempt, .cause = wire::Cause::request, .why = "forged"});
      say(wire::Aborted{.attempt = attempt});
      say(wire::Reserved{.ticket = {.name = {.attempt = attempt, .serial = 1, .key = 1}, .pages = {{0, 1}}}});
      say(wire::Full{.attempt = attempt, .retry_after_ms = 1e9});
    }
    say(wire::Unpaired{.pairing = first_pairing(mine.router), .why = "forged"});
    say(wire::Paired{.pairing = first_pairing(mine.router), .transport = "", .there = {}, .back = {}});
  }

  // Pairings are no secret: this is how core/router/pairs.cc draws its first one.
  static wire::Pairing first_pairing(uint64_t router) {
    const uint64_t n = 1;
    return hash_of({reinterpret_cast<const char*>(&n), sizeof n}, router) | 1;
  }

  uint32_t n_reserves_ = 0;
  int n_runs_ = 0;
};

// Claims, over the link, what is not so: first under names of tickets that it was never given, then of its own.
class Usurper final : public Member {
 public:
  Usurper(const std::string& address, wire::GroupInfo info) : Member(address, std::move(info)) {
    info_.role = wire::Role::prefill;
  }

 private:
  void told(const wire::Introduce& m) override {
    say(wire::Opened{.pairing = m.pairing, .addresses = {memory_of(info_.layouts[0].bytes() + kProbeBytes)}});
  }
  void told(const wire::Connect& m) override {
    decode_ = link_->connect(channel_, m.addresses.at(0));
    tell(wire::PairHello{.rank = 0, .transport = "shm", .speed = {9, 1}});
  }

  void told(const wire::Prefill& m) override {
    print("prefills", str(m.ticket.name.attempt.request));
    forge_all_but(m.ticket.name);
    const ContentId right = content_of(hash_of(name_of(info_.layouts[0].dtype()), info_.model_hash), m.request.prompt,
                                       info_.layouts[0].page_tokens());
    switch (++n_prefills_) {
      case 1:  // gives up
        tell(wire::Landed{.ticket = m.ticket.name, .rank = 0, .complete = false, .sums = {}});
        break;
      case 2:  // of another prompt
        claim(m.ticket.name, right ^ 1);
        break;
      default:  // of this prompt, but nothing was written
        claim(m.ticket.name, right);
    }
  }
  void told(const wire::Abort& m) override {
    say(wire::Aborted{.attempt = m.attempt});
    if (n_prefills_ >= 3) leave();  // another one may have come meanwhile
  }

  void tell(const wire::LinkMessage& message) { link_->send(decode_, pack(message)); }
  void claim(const wire::TicketName& ticket, ContentId content) {
    tell(wire::Landed{
        .ticket = ticket, .rank = 0, .complete = true, .bytes = 1, .sums = {{.destination = 0, .sum = 1}}});
    tell(wire::Sealed{.ticket = ticket, .content = content, .first = {.id = 17}});
  }

  // That of its own attempt under another key and number, those of other requests, and what no prefill group says.
  void forge_all_but(const wire::TicketName& mine) {
    wire::TicketName other_key = mine, other_serial = mine;
    other_key.key ^= 1;
    other_serial.serial += 1;
    for (const wire::TicketName& name : {other_key, other_serial}) claim(name, 0);
    for (int i = 0; i < kManyRequests; ++i) {
      wire::TicketName name = mine;
      name.attempt.request = static_cast<RequestId>(i);
      if (name != mine) claim(name, 0);
    }
    tell(wire::Void{.ticket = mine});
    tell(wire::PairHello{.rank = 7, .transport = "shm", .speed = {}});
    tell(wire::Landed{.ticket = mine, .rank = 7, .complete = true, .sums = {}});
    link_->send(decode_, "this is no message");
  }

  PeerId decode_ = -1;
  int n_prefills_ = 0;
};

}  // namespace

std::unique_ptr<Intruder> make_liar(const std::string& address, wire::GroupInfo info) {
  return std::make_unique<Liar>(address, std::move(info));
}
std::unique_ptr<Intruder> make_forger(const std::string& address, wire::GroupInfo info) {
  return std::make_unique<Forger>(address, std::move(info));
}
std::unique_ptr<Intruder> make_usurper(const std::string& address, wire::GroupInfo info) {
  return std::make_unique<Usurper>(address, std::move(info));
}

}  // namespace ferry
