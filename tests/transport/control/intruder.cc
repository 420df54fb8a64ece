// Who dials the control port and does not mean well: `control_intruder ADDRESS MODEL WHAT`. Prints what it was told.
//
//   garbage    frames that hold no message: random bytes, truncated messages, counts that lie
//   stranger   every message of a leader, without a Hello
//   impostor   Hellos of another model, of impossible layouts, of another version
//   liar       joins as a decode group whose ranks have less memory than it claims, or are nowhere
//   forger     joins as a decode group, says that it is ready, and lies about its own requests and all others
//   usurper    joins as a prefill group, and tells the decode group of tickets that it was never given

#include "tests/transport/control/intruder.h"

#include <random>
#include <vector>

#include "core/model/gguf.h"

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

std::unique_ptr<Intruder> make_intruder(const std::string& address, const std::string& model, const std::string& what) {
  const wire::GroupInfo info = info_of(model);
  if (what == "garbage") return std::make_unique<Garbage>(address, info);
  if (what == "stranger") return std::make_unique<Stranger>(address, info);
  if (what == "impostor") return std::make_unique<Impostor>(address, info);
  if (what == "liar") return make_liar(address, info);
  if (what == "forger") return make_forger(address, info);
  if (what == "usurper") return make_usurper(address, info);
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
