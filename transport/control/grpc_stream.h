#pragma once
// What both ends of a gRPC control stream have in common: one read and one write at a time, and a bounded queue of what
// is still to be written.

#include <deque>
#include <mutex>
#include <string>
#include <utility>

#include "core/base/bounded_queue.h"
#include "core/base/error.h"
#include "core/seam/control_stream.h"
#include "transport/control/ferry.pb.h"
#include "transport/control/limits.h"

namespace ferry {

using ControlEvents = BoundedQueue<ControlEvent>;

// `Reactor` is gRPC's, of the server or of the client. The owner's thread calls send, close and break_off; gRPC's
// threads call the rest.
template <class Reactor>
class GrpcStream : public Reactor {
 public:
  GrpcStream(StreamId id, ControlEvents& events) : id_(id), events_(events) {}

  StreamId id() const { return id_; }

  void send(std::string message) {
    const std::lock_guard lock(mutex_);
    if (closing_) return;
    unsent_bytes_ += message.size() + kEventBytes;
    if (message.size() > kMaxMessageBytes) {
      close_locked(str("a message of ", message.size(), " bytes is over the limit of ", kMaxMessageBytes));
      write_next();
    } else if (unsent_bytes_ > kMaxUnsentBytes) {
      break_off_locked(str("the other end is more than ", kMaxUnsentBytes, " bytes behind"));
    } else {
      unsent_.push_back(std::move(message));
      write_next();
    }
  }

  // What was sent before still goes out.
  void close() {
    const std::lock_guard lock(mutex_);
    close_locked(kClosedHere);
    write_next();
  }

  // Nothing goes out any more.
  void break_off(const std::string& why) {
    const std::lock_guard lock(mutex_);
    break_off_locked(why);
  }

 protected:
  static constexpr auto kClosedHere = "closed by this end";

  // Nothing is written after this; `why` is "" when it is not for a reason of this end.
  virtual void end_writing(const std::string& why) = 0;
  virtual void cancel() = 0;

  void read_next() { this->StartRead(&incoming_); }

  // There is nothing more to read: the other end closed, or is gone.
  void end_of_reading() {
    const std::lock_guard lock(mutex_);
    close_locked("");
    unsent_.clear();
    write_next();
  }

  // Why this end closed; "" if it did not.
  std::string why_closed() {
    const std::lock_guard lock(mutex_);
    return why_closed_;
  }

  void report(ControlEvent event, size_t bytes = 0) { events_.push(std::move(event), bytes + kEventBytes); }

 private:
  void OnReadDone(bool ok) final {
    if (!ok) return end_of_reading();
    std::string bytes = std::move(*incoming_.mutable_payload());
    const size_t n_bytes = bytes.size();
    report(StreamMessage{id_, std::move(bytes)}, n_bytes);
    read_next();
  }

  void OnWriteDone(bool ok) final {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    unsent_bytes_ -= outgoing_.payload().size() + kEventBytes;
    if (!ok) unsent_.clear();  // reading fails too, and ends the stream
    write_next();
  }

  void close_locked(const std::string& why) {
    if (closing_) return;
    closing_ = true;
    why_closed_ = why;
  }

  void break_off_locked(const std::string& why) {
    close_locked(why);
    unsent_.clear();
    cancel();
    write_next();
  }

  void write_next() {
    if (writing_ || ended_writing_) return;
    if (!unsent_.empty()) {
      writing_ = true;
      outgoing_.set_payload(std::move(unsent_.front()));
      unsent_.pop_front();
      this->StartWrite(&outgoing_);
    } else if (closing_) {
      ended_writing_ = true;
      end_writing(why_closed_);
    }
  }

  const StreamId id_;
  ControlEvents& events_;
  Frame incoming_;

  std::mutex mutex_;
  std::deque<std::string> unsent_;
  size_t unsent_bytes_ = 0;  // with those in outgoing_
  Frame outgoing_;
  bool writing_ = false;
  bool closing_ = false;
  bool ended_writing_ = false;
  std::string why_closed_;
};

}  // namespace ferry
