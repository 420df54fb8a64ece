#include "launch/serve/web_stream.h"

#include <sys/socket.h>

#include <array>

namespace ferry {

namespace {
constexpr size_t kMostUnread = 16 << 20;
}

// What goes wrong is told by the write of the rest.
size_t WebStream::send_at_once(std::string_view bytes) {
  if (tls_) return 0;
  const ssize_t n = ::send(socket().native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  return n > 0 ? static_cast<size_t>(n) : 0;
}

asio::awaitable<void> WebStream::open() {
  if (tls_) co_await tls_->async_handshake(asio::ssl::stream_base::server, asio::use_awaitable);
}

// Bytes that nobody reads would make the kernel throw away the answer that is still on its way to their sender.
asio::awaitable<void> WebStream::close_gently(asio::steady_timer::duration patience) {
  expires_after(patience);
  error_code failed;
  if (tls_) co_await tls_->async_shutdown(asio::redirect_error(asio::use_awaitable, failed));
  failed = {};
  socket().shutdown(tcp::socket::shutdown_send, failed);
  std::array<char, 4096> unread;
  for (size_t n_read = 0; !failed && n_read < kMostUnread;) {
    n_read += co_await tcp_.async_read_some(asio::buffer(unread), asio::redirect_error(asio::use_awaitable, failed));
  }
}

}  // namespace ferry
