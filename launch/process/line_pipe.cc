#include "launch/process/line_pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "core/base/error.h"

namespace ferry {

int LinePipe::open() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw Error(str("cannot make a pipe: ", std::strerror(errno)));
  fd_ = ends[0];
  fcntl(fd_, F_SETFL, O_NONBLOCK);  // only the reading end: the child's writes may wait
  return ends[1];
}

void LinePipe::read(const OnLine& on_line) {
  std::array<char, 16384> buffer;
  while (fd_ >= 0) {
    const ssize_t n = ::read(fd_, buffer.data(), buffer.size());
    if (n > 0) {
      split({buffer.data(), static_cast<size_t>(n)}, on_line);
    } else if (n == 0) {
      end(on_line);
    } else if (errno != EINTR) {
      return;
    }
  }
}

void LinePipe::split(std::string_view bytes, const OnLine& on_line) {
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, std::min(bytes.find('\n'), kMaxLine - rest_.size()));
    rest_ += part;
    bytes.remove_prefix(part.size());
    if (bytes.empty()) return;  // its end may come next
    if (bytes.front() == '\n') bytes.remove_prefix(1);
    on_line(rest_);
    rest_.clear();
  }
}

void LinePipe::end(const OnLine& on_line) {
  close();
  if (!rest_.empty()) on_line(rest_);
  rest_.clear();
}

void LinePipe::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

}  // namespace ferry
