#pragma once
// The reading end of a pipe, in lines.

#include <functional>
#include <string>
#include <string_view>

namespace ferry {

class LinePipe {
 public:
  using OnLine = std::function<void(std::string_view line)>;

  LinePipe() = default;
  ~LinePipe() { close(); }
  LinePipe(const LinePipe&) = delete;
  LinePipe& operator=(const LinePipe&) = delete;

  // Makes the pipe; returns the writing end, for a child. Both ends close on exec.
  int open();
  int fd() const { return fd_; }  // -1: at its end

  // Whatever can be read without waiting. A line longer than kMaxLine comes in parts; a last line without an end comes
  // when the pipe ends.
  void read(const OnLine& on_line);

  // Reads no more: others may still hold the writing end. An unfinished line comes now.
  void end(const OnLine& on_line);

  static constexpr size_t kMaxLine = size_t{64} << 10;

 private:
  void split(std::string_view bytes, const OnLine& on_line);
  void close();

  int fd_ = -1;
  std::string rest_;  // of a line whose end has not come yet
};

}  // namespace ferry
