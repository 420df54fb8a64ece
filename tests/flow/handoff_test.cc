// Prefill here, decode there: whole requests through a router, groups of threads, links and control streams in memory.

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "core/base/codec.h"
#include "core/engine/lead.h"
#include "core/router/router.h"
#include "kernels/cpu/reference_ops.h"
#include "parallel/threads.h"
#include "tests/flow/far_ops.h"
#include "tests/flow/tiny_file.h"
#include "transport/control/memory_control.h"
#include "transport/memory_link.h"
#include "transport/staged/staged_link.h"

namespace ferry {
namespace {

class SteadyClock final : public Clock {
 public:
  Instant now() const override { return std::chrono::steady_clock::now(); }
};

struct GroupPlace {
  std::string name;
  wire::Role role = wire::Role::mixed;
  int tp = 1;
  size_t memory = 1 << 20;
  Overlap overlap = Overlap::layers;
  wire::Verify verify = wire::Verify::all;
  bool reuse = false;  // so that bytes can be counted
  bool far = false;    // computes on a device whose memory is reached by way of slots
};

// A cluster of threads: each group a ThreadGroup of its own, as each would be an MPI job of its own.
class Cluster {
 public:
  Cluster(const ModelFile& file, const std::vector<GroupPlace>& places) : file_(file), streams_(control_.listen()) {
    for (const GroupPlace& place : places) threads_.emplace_back([this, place] { run(place); });
  }
  ~Cluster() {
    for (const StreamId stream : router_.streams()) streams_->send(stream, pack<wire::ToLeader>(wire::Stop{}));
    for (std::thread& thread : threads_) thread.join();
    EXPECT_EQ(n_leaked_pages_, 0);
  }

  // One turn of the router; what came of the requests.
  std::vector<RequestEvent> turn() {
    router_.tick();
    send();
    for (auto event = streams_->wait(std::chrono::microseconds(200)); event; event = streams_->poll()) {
      if (const auto* m = std::get_if<StreamMessage>(&*event)) {
        const auto message = unpack<wire::ToRouter>(m->bytes);
        EXPECT_TRUE(message);
        router_.message(m->stream, *message);
      } else if (const auto* closed = std::get_if<StreamClosed>(&*event)) {
        router_.closed(closed->stream, closed->why);
      }
    }
    send();
    return router_.take_events();
  }

  void wait_for_paths(size_t n) {
    while (router_.paths().size() < n) turn();
  }
  Router& router() { return router_; }

 private:
  void run(const GroupPlace& place) {
    const KvSettings kv = {.page_tokens = 4, .memory = place.memory, .reuse = place.reuse};
    const KvPlan plan = kv_plan(file_, kv, place.tp);
    ThreadGroup ranks(place.tp);
    ranks.run([&](Communicator& group) {
      FarOps far_ops(static_cast<unsigned>(group.rank()));
      const auto near_ops = make_reference_ops();
      Ops& ops = place.far ? static_cast<Ops&>(far_ops) : *near_ops;
      const auto link = place.far ? far_link(far_ops, plan.bytes(group.rank()))
                                  : make_staged_link(fabric_.make_link(plan.bytes(group.rank())));
      const GroupSettings settings = {
          .key = {place.name, static_cast<uint64_t>(1 + group.rank())},  // as if each drew its own
          .role = place.role,
          .kv = kv,
          .scheduling = {.max_batch_tokens = 16, .max_sequences = 6},
          .overlap = place.overlap,
          .verify = place.verify};
      Member member(file_, settings, {ops, group, *link, clock_});
      if (!member.leads()) return member.follow();
      const auto dialed = control_.dial();
      lead(member, *dialed);
      n_leaked_pages_ += plan.n_pages - member.engine().stats().pages.free;
    });
  }

  std::unique_ptr<KvLink> far_link(FarOps& ops, size_t kv_bytes) {
    constexpr size_t kSlotBytes = 4096, kStagingBytes = 8 * kSlotBytes;  // so little that a layer does not fit in
    const Staging staging = {.device = ops.far(), .memory = ops.far().allocate_far(kv_bytes), .slot_bytes = kSlotBytes};
    return make_staged_link(fabric_.make_link(kStagingBytes), staging);
  }

  void send() {
    for (const auto& [stream, message] : router_.take_to_leaders()) streams_->send(stream, pack(message));
  }

  const ModelFile& file_;
  const SteadyClock clock_;
  MemoryFabric fabric_;
  MemoryControl control_;
  std::unique_ptr<ControlStream> streams_;
  Router router_{{.model_hash = file_.hash, .epoch = 3}, clock_};
  std::atomic<int> n_leaked_pages_ = 0;
  std::vector<std::thread> threads_;
};

std::vector<Request> requests(int n, unsigned seed, int n_vocab) {
  std::mt19937 random(seed);
  std::vector<Request> all;
  for (int i = 0; i < n; ++i) {
    Request r = {.id = i + 1, .max_tokens = static_cast<int>(1 + random() % 10), .n_logprobs = 2, .ignore_eos = true};
    const int length = 1 + random() % 40;
    for (int t = 0; t < length; ++t) r.prompt.push_back(random() % n_vocab);
    if (i % 3 == 2) r.sampling = {.temperature = 1.2f, .top_p = 0.95f, .seed = random()};
    all.push_back(r);
  }
  return all;
}

struct Answer {
  std::vector<int> ids;
  std::vector<Token> prompt;
  std::string error;
  Account account;
};

std::map<RequestId, Answer> answers(Cluster& cluster, const std::vector<Request>& all) {
  for (const Request& r : all) cluster.router().submit(r, std::chrono::minutes(2));
  std::map<RequestId, Answer> result;
  size_t n_over = 0;
  while (n_over < all.size()) {
    for (const RequestEvent& e : cluster.turn()) {
      for (const Token& t : e.tokens) result[e.id].ids.push_back(t.id);
      for (const Token& t : e.prompt_logprobs) result[e.id].prompt.push_back(t);
      result[e.id].error = e.error;
      result[e.id].account = e.account;
      n_over += e.last();
    }
  }
  return result;
}

std::map<RequestId, std::vector<int>> ids_of(const std::map<RequestId, Answer>& all) {
  std::map<RequestId, std::vector<int>> ids;
  for (const auto& [id, answer] : all) {
    EXPECT_EQ(answer.error, "");
    ids[id] = answer.ids;
  }
  return ids;
}

std::map<RequestId, std::vector<int>> colocated(const ModelFile& file, const std::vector<Request>& all) {
  Cluster cluster(file, {{.name = "alone"}});
  cluster.wait_for_paths(1);
  return ids_of(answers(cluster, all));
}

// The cluster's end checks that every page is free: an abort is over when nothing is in flight.
void expect_no_page_left_behind(const ModelFile& file, unsigned seed, bool far) {
  std::mt19937 random(seed);
  Cluster cluster(file, {{.name = "p", .role = wire::Role::prefill, .tp = 2, .far = far},
                         {.name = "d", .role = wire::Role::decode, .tp = 3, .far = far}});
  cluster.wait_for_paths(1);
  const auto all = requests(12, seed, 301);
  for (const Request& r : all) cluster.router().submit(r, std::chrono::minutes(2));
  std::set<RequestId> over;
  while (over.size() < all.size()) {
    for (const RequestEvent& e : cluster.turn()) {
      if (e.last()) over.insert(e.id);
    }
    const RequestId victim = all[random() % all.size()].id;
    if (random() % 8 == 0 && over.insert(victim).second) cluster.router().cancel(victim);
  }
  const Request last = {.id = 99, .prompt = {1, 2, 3}, .max_tokens = 3, .ignore_eos = true};
  EXPECT_EQ(answers(cluster, {last})[99].ids.size(), 3u);
}

TEST(Handoff, AnyDegreeToAnyDegreeGivesTheTokensOfOneProcess) {
  const TinyFile file(nine_heads());
  const auto all = requests(10, 3, 301);
  const auto expected = colocated(*file, all);
  for (int from : {1, 2, 3, 4, 7}) {
    for (int to : {1, 2, 3, 5}) {
      SCOPED_TRACE(testing::Message() << "prefill tp " << from << ", decode tp " << to);
      Cluster cluster(*file, {{.name = "p", .role = wire::Role::prefill, .tp = from},
                              {.name = "d", .role = wire::Role::decode, .tp = to}});
      cluster.wait_for_paths(1);
      const auto got = answers(cluster, all);
      EXPECT_EQ(ids_of(got), expected);
      const size_t cell = 2 * 8 * 4;           // keys and values of head_dim floats
      const size_t copies = to <= 3 ? 3 : to;  // KV heads, or ranks that share them
      for (const Request& r : all) {
        EXPECT_EQ(got.at(r.id).account.bill.kv_bytes, 3 * copies * r.prompt.size() * cell)
            << "layers × heads × tokens, no more";
        EXPECT_EQ(got.at(r.id).account.transport, "memory");
      }
    }
  }
}

// Marks are reached late, copies are done late and in any order with launches, slots are few.
TEST(Handoff, KvOfDevicesGivesTheSameTokensAndBytes) {
  const TinyFile file(nine_heads());
  const auto all = requests(10, 11, 301);
  const auto expected = colocated(*file, all);
  for (const auto& [from, to] : {std::pair(true, true), {true, false}, {false, true}}) {
    for (const wire::Verify verify : {wire::Verify::off, wire::Verify::sampled, wire::Verify::all}) {
      SCOPED_TRACE(testing::Message() << "prefill far " << from << ", decode far " << to);
      Cluster cluster(*file, {{.name = "p", .role = wire::Role::prefill, .tp = 2, .verify = verify, .far = from},
                              {.name = "d", .role = wire::Role::decode, .tp = 3, .verify = verify, .far = to}});
      cluster.wait_for_paths(1);
      const auto got = answers(cluster, all);
      EXPECT_EQ(ids_of(got), expected);
      for (const Request& r : all) {
        EXPECT_EQ(got.at(r.id).account.bill.kv_bytes, 3 * 3 * r.prompt.size() * 2 * 8 * 4);
        EXPECT_EQ(got.at(r.id).account.transport, "memory+staged");
      }
    }
  }
}

TEST(Handoff, CancelledRequestsOfDevicesLeaveNoPageBehind) {
  const TinyFile file(nine_heads());
  for (unsigned seed = 0; seed < 6; ++seed) {
    SCOPED_TRACE(seed);
    expect_no_page_left_behind(*file, seed, true);
  }
}

TEST(Handoff, LogprobsOfAPromptComeWithItsFirstToken) {
  const TinyFile file(nine_heads());
  auto all = requests(8, 29, 301);
  for (Request& r : all) r.prompt_logprobs = true;
  Cluster alone(*file, {{.name = "alone"}});
  alone.wait_for_paths(1);
  const auto expected = answers(alone, all);
  Cluster cluster(
      *file, {{.name = "p", .role = wire::Role::prefill, .tp = 2}, {.name = "d", .role = wire::Role::decode, .tp = 3}});
  cluster.wait_for_paths(1);
  for (const RequestId added : {0, 100}) {  // the second time, both sides find its pages in their caches
    for (Request& r : all) r.id += added;
    const auto got = answers(cluster, all);
    for (const Request& r : all) {
      const Answer &have = got.at(r.id), &want = expected.at(r.id % 100);
      EXPECT_EQ(have.ids, want.ids);
      ASSERT_EQ(have.prompt.size(), r.prompt.size() - 1);
      for (size_t i = 0; i < have.prompt.size(); ++i) {
        EXPECT_EQ(have.prompt[i].id, r.prompt[i + 1]);
        EXPECT_NEAR(have.prompt[i].logprob, want.prompt.at(i).logprob, 1e-4);
      }
    }
  }
}

TEST(Handoff, ShippingAfterThePrefillGivesTheSameTokensAndBytes) {
  const TinyFile file(nine_heads());
  const auto all = requests(10, 5, 301);
  const auto expected = colocated(*file, all);
  Cluster cluster(*file, {{.name = "p", .role = wire::Role::prefill, .tp = 2, .overlap = Overlap::after_prefill},
                          {.name = "d", .role = wire::Role::decode, .tp = 3}});
  cluster.wait_for_paths(1);
  const auto got = answers(cluster, all);
  EXPECT_EQ(ids_of(got), expected);
  for (const Request& r : all) EXPECT_EQ(got.at(r.id).account.bill.kv_bytes, 3 * 3 * r.prompt.size() * 2 * 8 * 4);
}

TEST(Handoff, AFullDecodePoolPushesBackAndEverythingFinishes) {
  const TinyFile file(nine_heads());
  const auto all = requests(24, 9, 301);
  const auto expected = colocated(*file, all);
  const size_t page = kv_plan(*file, {.page_tokens = 4}, 1).layouts[0].page_bytes();
  Cluster cluster(*file, {{.name = "p", .role = wire::Role::prefill, .tp = 2},
                          {.name = "d", .role = wire::Role::decode, .tp = 1, .memory = 14 * page}});
  cluster.wait_for_paths(1);
  EXPECT_EQ(ids_of(answers(cluster, all)), expected);
}

TEST(Handoff, SeveralPairsShareTheWork) {
  const TinyFile file(nine_heads());
  const auto all = requests(30, 15, 301);
  const auto expected = colocated(*file, all);
  Cluster cluster(*file, {{.name = "p0", .role = wire::Role::prefill, .tp = 2},
                          {.name = "p1", .role = wire::Role::prefill, .tp = 1},
                          {.name = "d0", .role = wire::Role::decode, .tp = 1},
                          {.name = "d1", .role = wire::Role::decode, .tp = 3}});
  cluster.wait_for_paths(4);
  const auto got = answers(cluster, all);
  EXPECT_EQ(ids_of(got), expected);
  std::set<std::string> used;
  for (const auto& [id, answer] : got) used.insert(answer.account.prefill + answer.account.decode);
  EXPECT_GE(used.size(), 2u);
}

TEST(Handoff, WhatCannotBeServedFailsAloneAndSaysWhy) {
  const TinyFile file(nine_heads());
  auto all = requests(6, 21, 301);
  const auto expected = colocated(*file, all);
  std::vector<Request> with_bad = all;
  with_bad.push_back({.id = 101, .prompt = {}, .max_tokens = 4});
  with_bad.push_back({.id = 102, .prompt = {5}, .max_tokens = 0});
  with_bad.push_back({.id = 103, .prompt = {301}, .max_tokens = 4});
  with_bad.push_back({.id = 104, .prompt = std::vector<int>(600, 5), .max_tokens = 4});
  with_bad.push_back({.id = 105, .prompt = std::vector<int>(400, 5), .max_tokens = 4});
  const size_t page = kv_plan(*file, {.page_tokens = 4}, 1).layouts[0].page_bytes();
  Cluster cluster(*file, {{.name = "p", .role = wire::Role::prefill},
                          {.name = "d", .role = wire::Role::decode, .memory = 20 * page}});
  cluster.wait_for_paths(1);
  auto got = answers(cluster, with_bad);
  EXPECT_EQ(got[101].error, "the prompt is empty");
  EXPECT_EQ(got[102].error, "max_tokens is 0; it must be at least 1");
  EXPECT_EQ(got[103].error, "token id 301 is not in the vocabulary of 301");
  EXPECT_EQ(got[104].error, "prompt of 600 tokens and max_tokens 4 exceed the context of 512 tokens");
  EXPECT_EQ(got[105].error, "prompt of 400 tokens and max_tokens 4 need 101 KV pages; group d has 20 (kv.memory)");
  for (RequestId id = 101; id <= 105; ++id) got.erase(id);
  EXPECT_EQ(ids_of(got), expected);
}

TEST(Handoff, CancelledRequestsLeaveNoPageBehind) {
  const TinyFile file(nine_heads());
  for (unsigned seed = 0; seed < 10; ++seed) {
    SCOPED_TRACE(seed);
    expect_no_page_left_behind(*file, seed, false);
  }
}

}  // namespace
}  // namespace ferry
