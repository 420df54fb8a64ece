#pragma once
// What happened when, in words; nothing unless somebody listens.

#include <iosfwd>
#include <string>

#include "core/wire/messages.h"
#include "tests/sim/timeline.h"

namespace ferry::sim {

class Log {
 public:
  Log() = default;
  Log(std::ostream& out, const Timeline& timeline) : out_(&out), timeline_(&timeline), begin_(timeline.now()) {}

  bool listening() const { return out_ != nullptr; }
  void line(const std::string& who, const std::string& what) const;

  template <class Message>
  void said(const std::string& who, const std::string& to, const Message& message) const;

 private:
  std::ostream* out_ = nullptr;
  const Timeline* timeline_ = nullptr;
  Instant begin_;
};

std::string in_words(const wire::ToLeader& message);
std::string in_words(const wire::ToRouter& message);
std::string in_words(const wire::LinkMessage& message);

template <class Message>
void Log::said(const std::string& who, const std::string& to, const Message& message) const {
  if (listening()) line(who, "to " + to + ": " + in_words(message));
}

}  // namespace ferry::sim
