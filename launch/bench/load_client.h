#pragma once
// One client of the API: sends a request, reads its stream, and notes when what came. Connections are kept for the next
// request, as programs do.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launch/bench/stream_record.h"
#include "launch/config/cluster_config.h"
#include "launch/serve/asio.h"

namespace ferry {

class LoadClient {
 public:
  // Error when that is not http://host:port[/…]. `key`: of the API; empty: none.
  LoadClient(asio::io_context& io, const std::string& url, const std::string& key = {});
  ~LoadClient();
  LoadClient(const LoadClient&) = delete;
  LoadClient& operator=(const LoadClient&) = delete;

  // POST /v1/completions. Never throws: what goes wrong is in the record.
  asio::awaitable<void> ask(std::string body, StreamRecord& record);

  int most_open() const { return most_open_; }  // requests that waited for the end of their answer at a time

 private:
  struct Connection;
  asio::awaitable<std::unique_ptr<Connection>> connect();
  asio::awaitable<void> exchange(Connection& connection, const std::string& body, StreamRecord& record);

  asio::io_context& io_;
  HostPort server_;
  const std::string authorization_;  // the header; empty: none
  tcp::endpoint endpoint_;
  std::vector<std::unique_ptr<Connection>> idle_;
  int n_open_ = 0, most_open_ = 0;
};

HostPort host_of(const std::string& url);

// The payloads of server-sent events, cut out of a stream of bytes wherever its pieces end.
class EventReader {
 public:
  // The next whole one; nullopt: more bytes are needed. It is valid until the next call.
  void append(std::string_view bytes) { text_.append(bytes); }
  std::optional<std::string_view> next();

 private:
  std::string text_;
  size_t begin_ = 0;
};

}  // namespace ferry
