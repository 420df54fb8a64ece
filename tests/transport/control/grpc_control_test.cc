// What only a real network does to a control stream.

#include "transport/control/grpc_control.h"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>

#include "tests/transport/control/ends.h"

namespace ferry {
namespace {

// A leader in a process of its own.
class LeaderProcess {
 public:
  explicit LeaderProcess(const std::string& address) {
    std::string program = FERRY_BINARY_DIR "/control_leader", argument = address;
    char* arguments[] = {program.data(), argument.data(), nullptr};
    if (posix_spawn(&pid_, program.c_str(), nullptr, nullptr, arguments, environ) != 0) throw Error("cannot spawn");
  }
  ~LeaderProcess() {
    signal(SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  LeaderProcess(const LeaderProcess&) = delete;
  LeaderProcess& operator=(const LeaderProcess&) = delete;

  void signal(int number) const { kill(pid_, number); }

 private:
  pid_t pid_ = 0;
};

class GrpcControl : public testing::Test {
 protected:
  void SetUp() override {
    if (!grpc_can_be_tested()) GTEST_SKIP() << kWhyNoGrpc;
  }
};

TEST_F(GrpcControl, AKilledProcessIsNoticed) {
  GrpcNetwork network;
  const auto router = network.listen();
  const LeaderProcess leader(network.address());
  const StreamId stream = next<StreamOpened>(*router).stream;
  EXPECT_EQ(next_message(*router), "hello");
  leader.signal(SIGKILL);
  const auto closed = next<StreamClosed>(*router);
  EXPECT_EQ(closed.stream, stream);
  EXPECT_THAT(closed.why, testing::HasSubstr("127.0.0.1"));
}

// A stopped process keeps its connection, as a host without power does: only an answer that does not come tells.
TEST_F(GrpcControl, AProcessThatFallsSilentIsNoticed) {
  GrpcNetwork network;
  const auto router = network.listen();
  const LeaderProcess leader(network.address());
  const StreamId stream = next<StreamOpened>(*router).stream;
  EXPECT_EQ(next_message(*router), "hello");
  leader.signal(SIGSTOP);
  const auto closed = next<StreamClosed>(*router);
  EXPECT_EQ(closed.stream, stream);
  EXPECT_THAT(closed.why, testing::HasSubstr("127.0.0.1"));
}

TEST_F(GrpcControl, APortThatIsTakenIsAnErrorThatNamesIt) {
  GrpcNetwork network;
  const auto router = network.listen();
  EXPECT_THAT([&] { make_grpc_control_server(network.address()); },
              testing::ThrowsMessage<Error>(testing::HasSubstr(network.address())));
}

TEST_F(GrpcControl, AClientWithoutAServerCanBeDestroyed) {
  const auto leader = make_grpc_control_client("127.0.0.1:1");
  EXPECT_FALSE(leader->wait(std::chrono::milliseconds(10)));
}

TEST_F(GrpcControl, WhoDoesNotShowTheTokenIsRefusedAndDisturbsNobody) {
  const ControlSecurity ours = {.join_token = "a token of this test"};
  ControlServer server = make_grpc_control_server("127.0.0.1:0", ours);
  const std::string address = str("127.0.0.1:", server.port);
  const auto leader = make_grpc_control_client(address, ours);
  const StreamId at_router = next<StreamOpened>(*server.streams).stream;
  next<StreamOpened>(*leader);
  for (const char* token : {"", "a", "a token of this tesT", "a token of this test and more"}) {
    const auto stranger = make_grpc_control_client(address, {.join_token = token});
    EXPECT_THAT(next<StreamRefused>(*stranger).why, testing::HasSubstr("router.join_token")) << token;
    EXPECT_THAT(next<StreamRefused>(*server.streams).why, testing::HasSubstr("127.0.0.1"));
  }
  server.streams->send(at_router, "still there");
  EXPECT_EQ(next_message(*leader), "still there");
}

TEST_F(GrpcControl, ATokenThatNobodyAsksForIsNoReasonToRefuse) {
  ControlServer server = make_grpc_control_server("127.0.0.1:0");
  const auto leader = make_grpc_control_client(str("127.0.0.1:", server.port), {.join_token = "a token"});
  next<StreamOpened>(*server.streams);
  next<StreamOpened>(*leader);
}

TEST_F(GrpcControl, CertificatesThatAreNoneAreAnError) {
  const ControlSecurity security = {.tls = [] { return ControlTls{.certificate = "no", .key = "no", .ca = "no"}; }};
  EXPECT_THAT([&] { make_grpc_control_server("127.0.0.1:0", security); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("router.control_tls")));
}

int connect_raw(int port) {
  const int socket_fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(socket_fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return socket_fd;
}

TEST_F(GrpcControl, GarbageOnThePortHarmsNobody) {
  GrpcNetwork network;
  const auto router = network.listen();
  const auto leader = network.dial();
  const StreamId at_router = next<StreamOpened>(*router).stream;
  next<StreamOpened>(*leader);

  std::mt19937 random(7);
  const std::string kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  for (int i = 0; i < 50; ++i) {
    std::string garbage = i % 3 == 0 ? kHttp2Preface : i % 3 == 1 ? "GET / HTTP/1.1\r\nHost: ferry\r\n\r\n" : "";
    for (int n = 0; n < 200; ++n) garbage += static_cast<char>(random());
    const int socket_fd = connect_raw(network.port());
    EXPECT_GT(::send(socket_fd, garbage.data(), garbage.size(), MSG_NOSIGNAL), 0);
    ::close(socket_fd);
    router->send(at_router, str("message ", i));
    ASSERT_EQ(next_message(*leader), str("message ", i));
  }
  EXPECT_FALSE(router->poll()) << "garbage opened or closed a stream";
}

}  // namespace
}  // namespace ferry
