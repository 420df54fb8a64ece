#pragma once
// A client's connection: TCP, or TLS over it. Asio and Beast read and write it as any stream of theirs.

#include <boost/asio/ssl.hpp>
#include <boost/beast/ssl.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "launch/serve/asio.h"

namespace ferry {

class WebStream {
 public:
  using executor_type = beast::tcp_stream::executor_type;
  template <class Token>
  using Transferred = typename asio::async_result<std::decay_t<Token>, void(error_code, size_t)>::return_type;

  // `tls`: read now, and not needed any more afterwards.
  WebStream(tcp::socket socket, asio::ssl::context* tls) : tcp_(std::move(socket)) {
    if (tls) tls_.emplace(tcp_, *tls);
  }

  executor_type get_executor() { return tcp_.get_executor(); }
  tcp::socket& socket() { return tcp_.socket(); }
  void expires_after(asio::steady_timer::duration patience) { tcp_.expires_after(patience); }  // of what is begun next
  void expires_never() { tcp_.expires_never(); }
  void close() { tcp_.close(); }

  template <class Buffers, class Token>
  Transferred<Token> async_read_some(const Buffers& buffers, Token&& token) {
    if (tls_) return tls_->async_read_some(buffers, std::forward<Token>(token));
    return tcp_.async_read_some(buffers, std::forward<Token>(token));
  }
  template <class Buffers, class Token>
  Transferred<Token> async_write_some(const Buffers& buffers, Token&& token) {
    if (tls_) return tls_->async_write_some(buffers, std::forward<Token>(token));
    return tcp_.async_write_some(buffers, std::forward<Token>(token));
  }

  // What the kernel takes without a wait, in bytes: none over TLS, whose records have to be made first.
  size_t send_at_once(std::string_view bytes);

  // Before anything else, and after it. A client that is gone, or does not speak TLS, is a system_error.
  asio::awaitable<void> open();
  asio::awaitable<void> close_gently(asio::steady_timer::duration patience);

 private:
  beast::tcp_stream tcp_;
  std::optional<beast::ssl_stream<beast::tcp_stream&>> tls_;
};

}  // namespace ferry
