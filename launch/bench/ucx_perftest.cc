#include "launch/bench/ucx_perftest.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "core/base/error.h"
#include "launch/bench/transfer_bench.h"
#include "launch/process/child.h"

namespace ferry {

namespace {

constexpr auto kPatience = std::chrono::seconds(20);

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  ::close(fd);
  if (!bound) throw Error("there is no free port for ucx_perftest");
  return ntohs(address.sin_port);
}

// "20000,1.573,4.437,4.437,14087.06,...": iterations, three latencies, then the average bandwidth in MiB/s.
std::optional<double> bandwidth_in(std::string_view line) {
  constexpr int kFieldsBefore = 4;
  for (int i = 0; i < kFieldsBefore; ++i) {
    const size_t comma = line.find(',');
    if (comma == std::string_view::npos) return std::nullopt;
    line.remove_prefix(comma + 1);
  }
  double mib_per_s = 0;
  const auto read = std::from_chars(line.data(), line.data() + line.size(), mib_per_s);
  if (read.ec != std::errc() || mib_per_s <= 0) return std::nullopt;
  return mib_per_s * (1 << 20);
}

}  // namespace

UcxPerftest::UcxPerftest(std::string transports) : transports_(std::move(transports)) {}

bool UcxPerftest::is_installed() {
  try {
    Child version({.words = {"ucx_perftest", "-h"}, .environment = {}}, [](std::string_view) {});
    version.poll(kPatience);
    return true;
  } catch (const Error&) {
    return false;
  }
}

std::optional<double> UcxPerftest::bytes_per_second(size_t piece_bytes, int n) const {
  const std::string port = std::to_string(free_port());
  const std::vector<std::string> environment{"UCX_TLS=" + transports_};
  const auto ignore = [](std::string_view) {};
  Child server({.words = {"ucx_perftest", "-p", port}, .environment = environment}, ignore);
  std::optional<double> bandwidth;
  const auto on_line = [&](std::string_view line) {
    if (const auto found = bandwidth_in(line)) bandwidth = found;
  };
  const ProcessCommand client{
      .words = {"ucx_perftest", "localhost", "-p", port, "-t", "ucp_put_bw", "-s", std::to_string(piece_bytes), "-n",
                std::to_string(n), "-w", std::to_string(n / kPiecesToOneBefore + 1), "-f", "-v"},
      .environment = environment};
  // Its server does not say when it listens, and its client does not wait for that.
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!bandwidth && std::chrono::steady_clock::now() < deadline) {
    if (server.poll()) break;
    Child run(client, on_line);
    run.poll(kPatience);
    if (!bandwidth) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return bandwidth;
}

}  // namespace ferry
