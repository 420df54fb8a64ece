#include "launch/bench/bench_server.h"

#include <thread>

#include "core/base/error.h"
#include "launch/bench/load_client.h"
#include "launch/process/own_program.h"
#include "launch/serve/asio.h"

namespace ferry {

namespace {

constexpr auto kPatience = std::chrono::minutes(1);
constexpr auto kPause = std::chrono::milliseconds(50);

// 0: nobody answers.
int status_of(const HostPort& server, const std::string& path, const std::string& key) {
  asio::io_context io;
  tcp::socket socket(io);
  error_code failed;
  socket.connect({asio::ip::make_address(server.host), static_cast<uint16_t>(server.port)}, failed);
  http::request<http::empty_body> request(http::verb::get, path, 11);
  request.set(http::field::host, server.text());
  if (!key.empty()) request.set(http::field::authorization, "Bearer " + key);
  if (!failed) http::write(socket, request, failed);
  http::response<http::string_body> response;
  beast::flat_buffer buffer;
  if (!failed) http::read(socket, buffer, response, failed);
  return failed ? 0 : response.result_int();
}

std::string url_in(const std::string& yaml) { return "http://" + load_cluster(yaml).router.listen.text(); }

}  // namespace

BenchServer::BenchServer(const std::string& command, const std::string& yaml, std::string key)
    : url_(url_in(yaml)),
      key_(std::move(key)),
      child_({.words = {own_program(), "-q", command, yaml}, .environment = {}},
             [this](std::string_view line) { last_line_ = line; }) {}

void BenchServer::turn() {
  if (const auto exit = child_.poll()) throw Error("the server ended: " + exit->text() + "; it said: " + last_line_);
}

void BenchServer::wait_until_ready() {
  const HostPort server = host_of(url_);
  const auto end = std::chrono::steady_clock::now() + kPatience;
  for (int status = 0; status != 200; status = status_of(server, "/ready", key_)) {
    if (status == 401)
      throw Error(url_ + " asks for an API key, or for another one: --key-file, --key or FERRY_API_KEY");
    turn();
    if (std::chrono::steady_clock::now() > end)
      throw Error(url_ + " is not ready after a minute; it said: " + last_line_);
    std::this_thread::sleep_for(kPause);
  }
}

int free_port() {
  asio::io_context io;
  return tcp::acceptor(io, {asio::ip::make_address("127.0.0.1"), 0}).local_endpoint().port();
}

}  // namespace ferry
