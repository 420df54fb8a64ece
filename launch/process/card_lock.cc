#include "launch/process/card_lock.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/base/error.h"

namespace ferry {

namespace {

// A socket's name that is no file: nobody has to remove it, and users do not get into each other's way.
struct Name {
  explicit Name(const std::string& card) {
    const std::string text = "ferry/card/" + card;
    text.copy(address.sun_path + 1, sizeof address.sun_path - 1);
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 +
                                  std::min(text.size(), sizeof address.sun_path - 1));
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }

  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  socklen_t size = 0;
};

int new_socket() {
  const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) throw Error(str("no local socket: ", std::generic_category().message(errno)));
  return descriptor;
}

// Who listens under the name; 0 where nobody does any more.
pid_t holder_of(const Name& name) {
  const int descriptor = new_socket();
  ucred holder{};
  socklen_t size = sizeof holder;
  if (connect(descriptor, name.get(), name.size) == 0) getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &holder, &size);
  close(descriptor);
  return holder.pid;
}

}  // namespace

CardLock::CardLock(const std::string& card) : socket_(new_socket()) {
  const Name name(card);
  if (bind(socket_, name.get(), name.size) == 0 && listen(socket_, 1) == 0) return;
  const int reason = errno;
  close(socket_);
  if (reason != EADDRINUSE) throw Error(str("the card cannot be locked: ", std::generic_category().message(reason)));
  throw Error(str("process ", holder_of(name), " of this host (this is ", getpid(), ") computes on it already"));
}

CardLock::~CardLock() { close(socket_); }

}  // namespace ferry
