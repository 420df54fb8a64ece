// UCX links between two processes: shared memory that really is between processes, and peers that are stopped or
// killed.

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "tests/transport/frames.h"
#include "tests/transport/link_testing.h"
#include "transport/ucx/network_devices.h"
#include "transport/ucx/ucx_link.h"

namespace ferry {
namespace {

constexpr unsigned kSeed = 7;
constexpr size_t kBytes = 1 << 20;

// A running kv_link_peer; killed with the object.
class FarEnd {
 public:
  explicit FarEnd(UcxOptions::Transport transport) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return;
    std::string program = FERRY_BINARY_DIR "/kv_link_peer", number = std::to_string(static_cast<int>(transport)),
                bytes = std::to_string(kBytes);
    char* const arguments[] = {program.data(), number.data(), bytes.data(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pair[1], 0);
    posix_spawn_file_actions_adddup2(&actions, pair[1], 1);
    if (posix_spawn(&pid_, program.c_str(), &actions, nullptr, arguments, environ) != 0) pid_ = -1;
    posix_spawn_file_actions_destroy(&actions);
    ::close(pair[1]);
    socket_ = pair[0];
    address_ = read_frame(socket_).value_or("");
  }
  ~FarEnd() {
    kill();
    ::close(socket_);
  }
  FarEnd(const FarEnd&) = delete;
  FarEnd& operator=(const FarEnd&) = delete;

  const std::string& address() const { return address_; }
  void connect_to(const std::string& address) const { write_frame(socket_, address); }
  std::string memory() const { return ask("memory"); }
  void storm(int half) const { ask("storm " + std::to_string(half)); }
  void close() const { write_frame(socket_, "close"); }
  bool is_fenced() const {  // after close()
    pollfd answer{.fd = socket_, .events = POLLIN, .revents = 0};
    return ::poll(&answer, 1, 0) > 0 && read_frame(socket_) == "fenced";
  }
  void stop() const {  // returns when it stands still
    ::kill(pid_, SIGSTOP);
    int status = 0;
    waitpid(pid_, &status, WUNTRACED);
  }
  void go_on() const { ::kill(pid_, SIGCONT); }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    waitpid(std::exchange(pid_, -1), nullptr, 0);
  }

 private:
  std::string ask(const std::string& order) const {
    write_frame(socket_, order);
    return read_frame(socket_).value_or("");
  }

  pid_t pid_ = -1;
  int socket_ = -1;
  std::string address_;
};

struct Case {
  std::string name;
  UcxOptions::Transport transport;
  std::string carrier;  // what must carry the puts on one host
};
void PrintTo(const Case& a_case, std::ostream* out) { *out << a_case.name; }

class KvLinkProcesses : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (GetParam().name == "rdma" && rdma_devices().empty())
      GTEST_SKIP() << "no RDMA device (/sys/class/infiniband is empty); use the rdma lane";
    near = {make_ucx_link({.transport = GetParam().transport, .memory_bytes = kBytes})};
    far = std::make_unique<FarEnd>(GetParam().transport);
    ASSERT_FALSE(far->address().empty()) << "kv_link_peer did not start";
    to_far = introduce(*far);
    for (std::byte& byte : near->memory()) byte = static_cast<std::byte>(random());
  }
  PeerId introduce(const FarEnd& end) {
    end.connect_to(near.address());
    return near.connect(end.address());
  }
  bool echoes(PeerId peer, const std::string& message) {
    const size_t n = near.received.size();
    near->send(peer, message);
    return until([&] { return near.received.size() > n; }, {&near}) && near.received.back() == message;
  }
  bool noticed() {
    return until([&] { return !near.broken.empty(); }, {&near});
  }
  bool closed() {
    return until([&] { return !near.closed.empty(); }, {&near});
  }
  bool fenced() {
    return until([&] { return !near.fenced.empty(); }, {&near});
  }
  std::span<std::byte> half(size_t which) const { return near->memory().subspan(which * kBytes / 2, kBytes / 2); }
  // Waits until somebody writes there, some more than once around.
  bool is_written_to(std::span<const std::byte> bytes) {
    for (int round = 0; round < 3; ++round) {
      const std::vector<std::byte> before(bytes.begin(), bytes.end());
      const auto differs = [&] { return !std::equal(bytes.begin(), bytes.end(), before.begin()); };
      if (!until(differs, {&near})) return false;
    }
    return true;
  }
  bool shares_memory() const { return GetParam().carrier == "shm"; }

  Observed near;
  std::unique_ptr<FarEnd> far;
  PeerId to_far = 0;
  std::mt19937 random{kSeed};
};

TEST_P(KvLinkProcesses, PiecesLandInTheOtherProcess) {
  std::string expected(kBytes, '\0');
  std::vector<Piece> pieces;
  for (uint64_t at = 0; at + 3000 <= kBytes; at += 3000)
    pieces.push_back({at, kBytes - 3000 - at, 1 + random() % 3000});
  for (const Piece& piece : pieces) std::memcpy(&expected[piece.to], &near->memory()[piece.from], piece.bytes);
  std::shuffle(pieces.begin(), pieces.end(), random);
  near->put(to_far, pieces);
  near->flush(to_far, 3);
  ASSERT_TRUE(until([&] { return !near.flushed.empty(); }, {&near}));
  EXPECT_TRUE(far->memory() == expected) << "seed " << kSeed;
  EXPECT_EQ(near->transport(to_far), GetParam().carrier);
}

TEST_P(KvLinkProcesses, MessagesOfEverySizeComeBack) {
  for (const size_t bytes : {0, 1, 100, 5000, 8192, 8256, 20000, 262144, 1 << 20})
    ASSERT_TRUE(echoes(to_far, std::string(bytes, static_cast<char>('a' + bytes % 26)))) << bytes;
}

TEST_P(KvLinkProcesses, PutsNeedATargetThatPollsOverTcpOnly) {
  ASSERT_TRUE(echoes(to_far, "connected"));
  far->stop();
  near.put(to_far, {.from = 0, .to = 0, .bytes = kBytes});
  near->flush(to_far, 1);
  if (GetParam().name == "tcp") {
    for (int i = 0; i < 1000; ++i) near.poll();
    EXPECT_TRUE(near.flushed.empty());
    far->go_on();
  }
  EXPECT_TRUE(until([&] { return !near.flushed.empty(); }, {&near}));
  far->go_on();
}

TEST_P(KvLinkProcesses, AnIdlePeerThatIsKilledIsBroken) {
  ASSERT_TRUE(echoes(to_far, "alive"));
  far->kill();
  ASSERT_TRUE(noticed());
  EXPECT_EQ(near.broken[0].peer, to_far);
}

TEST_P(KvLinkProcesses, APeerThatIsKilledUnderLoadIsBrokenAndHurtsNobody) {
  ASSERT_TRUE(echoes(to_far, "alive"));
  const auto load = [&] {
    near.put(to_far, {.from = 0, .to = 0, .bytes = kBytes});
    near->flush(to_far, 1);
    near->send(to_far, std::string(50000, 'x'));
  };
  for (int i = 0; i < 20; ++i) load();
  far->kill();
  for (int i = 0; i < 200; ++i) load();  // more than any buffer between us holds
  ASSERT_TRUE(noticed());
  load();  // until its channel is closed, posting is allowed and does nothing
  near->transport(to_far);
  near->close(std::exchange(near.channel, near->open()));
  EXPECT_TRUE(fenced());
  EXPECT_EQ(near.broken.size(), 1u);

  FarEnd next(GetParam().transport);
  const PeerId to_next = introduce(next);
  EXPECT_TRUE(echoes(to_next, "the next one works"));
  EXPECT_EQ(near.broken.size(), 1u);
}

TEST_P(KvLinkProcesses, TheAddressOfADeadProcessIsBroken) {
  FarEnd dead(GetParam().transport);
  dead.kill();
  const ChannelId of_dead = near->open();
  const PeerId to_dead = near->connect(of_dead, dead.address());
  near->flush(to_dead, 1);
  ASSERT_TRUE(noticed());
  EXPECT_EQ(near.broken[0].peer, to_dead);
  near->close(of_dead);
  EXPECT_TRUE(fenced());
  EXPECT_TRUE(echoes(to_far, "alive"));
}

TEST_P(KvLinkProcesses, APeerThatIsKilledWhileItConnectsIsBroken) {
  // Stopped before it can answer, so the connection is half made when it dies.
  FarEnd stopped(GetParam().transport);
  stopped.stop();
  const ChannelId of_stopped = near->open();
  const PeerId to_stopped = near->connect(of_stopped, stopped.address());
  near.put(to_stopped, {.from = 0, .to = 0, .bytes = kBytes});
  near->flush(to_stopped, 9);
  near->send(to_stopped, "hello?");
  for (int i = 0; i < 1000; ++i) near.poll();
  stopped.kill();
  ASSERT_TRUE(noticed());
  EXPECT_EQ(near.broken[0].peer, to_stopped);
  near->close(of_stopped);
  EXPECT_TRUE(fenced());
  EXPECT_TRUE(echoes(to_far, "alive"));
}

// UCX answers the introduction of the dead one, and in the same moment it may be due to look after its endpoints.
TEST_P(KvLinkProcesses, APeerThatIsKilledRightAfterItConnectedHurtsNobody) {
  FarEnd hasty(GetParam().transport);
  hasty.connect_to(near.address());
  EXPECT_EQ(hasty.memory().size(), kBytes);  // by then it has said Hello, and nobody has listened yet
  hasty.kill();
  EXPECT_TRUE(echoes(to_far, "alive"));
}

// Whoever does not answer for half a second is given up, in the middle of the introductions, too.
TEST_P(KvLinkProcesses, APeerThatStoodStillWhileTheChannelToItClosedGoesOn) {
  for (const int n_polls : {0, 1, 3, 10, 30, 100, 300, 1000, 3000}) {
    FarEnd stopped(GetParam().transport);
    const ChannelId of_stopped = near->open();
    stopped.connect_to(near->address(of_stopped));
    near->connect(of_stopped, stopped.address());
    for (int i = 0; i < n_polls; ++i) near.poll();
    stopped.stop();
    near->close(of_stopped);
    ASSERT_TRUE(closed());
    stopped.go_on();
    EXPECT_EQ(stopped.memory().size(), kBytes) << "it lives, stopped after " << n_polls << " polls";
    ASSERT_TRUE(fenced()) << "stopped after " << n_polls << " polls";
    EXPECT_EQ(stopped.memory().size(), kBytes) << "it lives on";
    near.closed.clear();
    near.fenced.clear();
  }
  EXPECT_TRUE(echoes(to_far, "alive"));
}

TEST_P(KvLinkProcesses, AWriterThatLivesIsFencedOffAndNobodyElse) {
  FarEnd other(GetParam().transport);
  const ChannelId of_other = near->open();
  other.connect_to(near->address(of_other));
  near->connect(of_other, other.address());
  far->storm(0);
  other.storm(1);
  ASSERT_TRUE(is_written_to(half(0)));
  ASSERT_TRUE(is_written_to(half(1)));
  near->close(near.channel);
  ASSERT_TRUE(fenced());
  const std::vector<std::byte> left(half(0).begin(), half(0).end());
  EXPECT_TRUE(is_written_to(half(1)));
  EXPECT_EQ(far->memory().size(), kBytes);  // it lives, and would write
  EXPECT_TRUE(is_written_to(half(1)));
  EXPECT_TRUE(std::equal(left.begin(), left.end(), half(0).begin()));
  EXPECT_EQ(near.closed, std::vector<ChannelId>{near.channel});
  EXPECT_EQ(near.fenced, std::vector<ChannelId>{near.channel});
  EXPECT_TRUE(near.broken.empty());
}

TEST_P(KvLinkProcesses, AWriterThatIsStoppedAndSharesMemoryIsFencedOffWhenItIsKilled) {
  if (!shares_memory()) GTEST_SKIP() << "does not share memory";
  far->storm(0);
  ASSERT_TRUE(is_written_to(half(0)));
  far->stop();
  near->close(near.channel);
  ASSERT_TRUE(closed());
  for (int i = 0; i < 10000; ++i) near.poll();
  EXPECT_TRUE(near.fenced.empty());
  far->kill();
  EXPECT_TRUE(fenced());
}

TEST_P(KvLinkProcesses, AWriterThatGoesOnAfterItWasStoppedWritesNoMoreAfterFenced) {
  far->storm(0);
  ASSERT_TRUE(is_written_to(half(0)));
  far->stop();
  near->close(near.channel);
  ASSERT_TRUE(closed());
  if (shares_memory()) far->go_on();
  ASSERT_TRUE(fenced());
  const std::vector<std::byte> left(half(0).begin(), half(0).end());
  far->go_on();
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(far->memory().size(), kBytes);  // it goes on
    for (int poll = 0; poll < 1000; ++poll) near.poll();
  }
  EXPECT_TRUE(std::equal(left.begin(), left.end(), half(0).begin()));
}

// What the channel says when it closes waits behind all that, for longer than anybody waits for a peer that stands
// still.
TEST_P(KvLinkProcesses, AWriterWithAFullQueueIsFencedOffWhenItGoesOn) {
  far->storm(0);
  ASSERT_TRUE(is_written_to(half(0)));
  far->stop();
  for (int i = 0; i < 5000; ++i) near->send(to_far, "one of many");
  near->close(near.channel);
  ASSERT_TRUE(closed());
  if (shares_memory()) {
    EXPECT_TRUE(near.fenced.empty());
  }
  far->go_on();
  EXPECT_TRUE(fenced());
  EXPECT_EQ(far->memory().size(), kBytes) << "it lives";
}

// Of a writer that closes its channel, the farewell waits so. It still has to arrive when the channel is gone, or the
// other end would wait for it as long as the writer's process lives.
TEST_P(KvLinkProcesses, AWriterThatIsGoneBeforeItsFarewellGetsThroughHoldsNobodyUp) {
  FarEnd reader(GetParam().transport);
  reader.connect_to(near.address());  // another channel than the one that writes to it
  const ChannelId of_reader = near->open();
  const PeerId to_reader = near->connect(of_reader, reader.address());
  near.put(to_reader, {.from = 0, .to = 0, .bytes = kBytes});
  near->flush(to_reader, 1);
  ASSERT_TRUE(until([&] { return !near.flushed.empty(); }, {&near}));
  reader.stop();
  for (int i = 0; i < 5000; ++i) near->send(to_reader, "one of many");
  near->close(of_reader);
  ASSERT_TRUE(fenced());
  reader.go_on();
  reader.close();
  EXPECT_TRUE(until([&] { return reader.is_fenced(); }, {&near}));
}

INSTANTIATE_TEST_SUITE_P(Ucx, KvLinkProcesses,
                         testing::Values(Case{"automatic", UcxOptions::Transport::automatic, "shm"},
                                         Case{"shm", UcxOptions::Transport::shm, "shm"},
                                         Case{"tcp", UcxOptions::Transport::tcp, "tcp"},
                                         Case{"rdma", UcxOptions::Transport::rdma, "rdma"}),
                         [](const auto& a_case) { return a_case.param.name; });

}  // namespace
}  // namespace ferry
