// Who dials the control port and does not mean well: `control_intruder ADDRESS MODEL WHAT`. Prints what it was told.
//
//   garbage    frames that hold no message: random bytes, truncated messages, counts that lie
//   stranger   every message of a leader, without a Hello
//   impostor   Hellos of another model, of impossible layouts, of another version
//   liar       joins as a decode group whose ranks have less memory than it claims, or are nowhere
//   forger     joins as a decode group, says that it is ready, and lies about its own requests and all others

#include <chrono>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/base/codec.h"
#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/handoff/path_probe.h"
#include "core/model/gguf.h"
#include "core/wire/messages.h"
#include "transport/control/grpc_control.h"
#include "transport/ucx/ucx_link.h"

namespace ferry {
namespace {

constexpr int kStreams = 12;  // of garbage
constexpr int kManyRequests = 64;

// As the demo model's KV is on one rank: what a group has to say to be let in.
wire::GroupInfo info_of(const std::string& model) {
  const KvLayout layout({.layers = {0, 30}, .heads = {0, 3}}, 16, 64, KvDtype::f32, 64);
  return {.key = {.name = "intruder", .epoch = 1},
          .role = wire::Role::decode,
          .model_hash = model_hash(GgufFile(model)),
          .max_context = 2048,
          .max_sequences = 1,
          .layouts = {layout},
          .ops = "none"};
}

class Intruder {
 public:
  Intruder(const std::string& address, const std::string& model)
      : router_(make_grpc_control_client(address)), info_(info_of(model)) {}
  virtual ~Intruder() = default;

  void run() {
    while (!over_) {
      const auto event = router_->wait(std::chrono::milliseconds(1));
      if (event) std::visit([this](const auto& e) { take(e); }, *event);
      if (link_) (void)link_->poll();
    }
  }

 protected:
  virtual void opened() = 0;
  virtual void told(const wire::Introduce&) {}
  virtual void told(const wire::Forget& m) { print("forgets", m.why); }
  virtual void told(const wire::Reserve&) {}
  virtual void told(const wire::Run&) {}
  virtual void told(const wire::Refuse& m) { print("refuses", m.why); }
  virtual void closed() {}
  template <class Message>
  void told(const Message&) {}

  void print(const char* what, const std::string& why) {
    std::printf("%s: %s\n", what, why.c_str());
    std::fflush(stdout);
  }
  void say(const wire::ToRouter& message) { router_->send(stream_, pack(message)); }
  void send(std::string bytes) { router_->send(stream_, std::move(bytes)); }
  void hang_up() { router_->close(stream_); }
  void leave() { over_ = true; }

  std::unique_ptr<ControlStream> router_;
  wire::GroupInfo info_;
  std::unique_ptr<KvLink> link_;  // polled, where there is one

 private:
  void take(const StreamOpened& e) {
    stream_ = e.stream;
    opened();
  }
  void take(const StreamClosed&) { closed(); }
  void take(const StreamRefused& e) { throw Error(e.why); }
  void take(const StreamMessage& e) {
    const auto message = unpack<wire::ToLeader>(e.bytes);
    if (!message) throw Error("the router speaks another language");
    std::visit([this](const auto& m) { told(m); }, *message);
  }

  StreamId stream_ = 0;
  bool over_ = false;
};

class Garbage final : public Intruder {
 public:
  using Intruder::Intruder;

 private:
  void opened() override {
    if (n_streams_ == kStreams) return leave();
    send(bytes());
    ++n_streams_;
  }
  void closed() override { print("closes", ""); }

  std::string bytes() {
    const std::string hello = pack<wire::ToRouter>(wire::Hello{.group = info_});
    if (n_streams_ % 4 == 0) return hello.substr(0, random_() % hello.size());
    if (n_streams_ % 4 == 1) return hello + '\0';
    std::string lie = hello;
    if (n_streams_ % 4 == 2) lie.replace(5, 4, "\xff\xff\xff\xff");  // how long the name is
    if (n_streams_ % 4 == 3) {
      for (char& byte : lie) byte = static_cast<char>(random_() | 0x80);
    }
    return lie;
  }

  std::mt19937 random_{7};
  int n_streams_ = 0;
};

class Stranger final : public Intruder {
 public:
  using Intruder::Intruder;

 private:
  void opened() override {
    for (uint64_t request = 0; request < kManyRequests; ++request) {
      const wire::Attempt attempt = {.router = 1, .request = static_cast<RequestId>(request), .attempt = 1};
      say(wire::Tokens{.attempt = attempt, .first = 0, .tokens = {{.id = 17}}, .finish = Finish::stop, .bill = {}});
      say(wire::Reserved{.ticket = {.name = {.attempt = attempt, .serial = 1, .key = 1}, .pages = {{0, 1}}}});
      say(wire::Failed{.attempt = attempt, .cause = wire::Cause::request, .why = "forged"});
      say(wire::Aborted{.attempt = attempt});
      say(wire::Full{.attempt = attempt, .retry_after_ms = 1e9});
      say(wire::Paired{.pairing = request, .transport = "shm", .there = {1e9, 1}, .back = {1e9, 1}});
      say(wire::Unpaired{.pairing = request, .why = "forged"});
      say(wire::Opened{.pairing = request, .addresses = {"nowhere"}});
      say(wire::Stats{});
    }
    if (++n_streams_ == 2) return leave();
    hang_up();
  }
  int n_streams_ = 0;
};

class Impostor final : public Intruder {
 public:
  using Intruder::Intruder;

 private:
  void opened() override {
    wire::Hello other_model = {.group = info_}, other_version = other_model, no_pages = other_model, vast = other_model,
                no_ranks = other_model, backwards = other_model, label = other_model;
    other_model.group.model_hash ^= 1;
    other_version.version += 1;
    no_pages.group.layouts[0] = KvLayout();
    vast.group.layouts[0] = KvLayout({.layers = {0, 1 << 30}, .heads = {0, 3}}, 16, 64, KvDtype::f32, 1);
    no_ranks.group.layouts.clear();
    backwards.group.layouts[0] = KvLayout({.layers = {30, 0}, .heads = {3, 0}}, 16, 64, KvDtype::f32, 1);
    label.group.key.name = "x\"} 1\nferry_pages{group=\"decode-0";
    for (const auto& hello : {other_model, other_version, no_pages, vast, no_ranks, backwards, label}) say(hello);
  }
  void told(const wire::Refuse& m) override {
    Intruder::told(m);
    if (++n_refused_ == 7) leave();
  }
  int n_refused_ = 0;
};

class Member : public Intruder {
 public:
  using Intruder::Intruder;

 protected:
  void opened() override { say(wire::Hello{.group = info_}); }

  // The address of a rank with that much memory.
  std::string memory_of(size_t bytes) {
    link_ = make_ucx_link({.memory_bytes = bytes});
    return link_->address(link_->open());
  }
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

std::unique_ptr<Intruder> make_intruder(const std::string& address, const std::string& model, const std::string& what) {
  if (what == "garbage") return std::make_unique<Garbage>(address, model);
  if (what == "stranger") return std::make_unique<Stranger>(address, model);
  if (what == "impostor") return std::make_unique<Impostor>(address, model);
  if (what == "liar") return std::make_unique<Liar>(address, model);
  if (what == "forger") return std::make_unique<Forger>(address, model);
  throw Error(str("there is no intruder ", what));
}

}  // namespace
}  // namespace ferry

int main(int, char** argv) try {
  ferry::make_intruder(argv[1], argv[2], argv[3])->run();
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
