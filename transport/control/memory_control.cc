#include "transport/control/memory_control.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <vector>

#include "core/base/check.h"
#include "core/base/error.h"
#include "transport/control/limits.h"

namespace ferry {

class MemoryControl::End final : public ControlStream {
 public:
  explicit End(Hub& hub) : hub_(hub) {}
  ~End() override;
  void send(StreamId stream, std::string message) override;
  void close(StreamId stream) override;
  std::optional<ControlEvent> poll() override { return wait(Duration::zero()); }
  std::optional<ControlEvent> wait(Duration timeout) override;

  std::deque<ControlEvent> events;  // the hub's mutex guards it

 private:
  Hub& hub_;
};

// All that is shared, behind one mutex.
class MemoryControl::Hub {
 public:
  void add_server(End& server) {
    const std::lock_guard lock(mutex_);
    check(server_ == nullptr, "one server at a time");
    server_ = &server;
    for (End* client : clients_) connect(*client);
  }

  void add_client(End& client) {
    const std::lock_guard lock(mutex_);
    clients_.push_back(&client);
    connect(client);
  }

  void remove(End& end) {
    const std::lock_guard lock(mutex_);
    if (server_ == &end) server_ = nullptr;
    std::erase(clients_, &end);
    std::vector<StreamId> ids;
    for (const auto& [id, stream] : streams_) {
      if (stream.server == &end || stream.client == &end) ids.push_back(id);
    }
    for (const StreamId id : ids) break_stream(id, end, "this end is shut down", "the other end is gone");
  }

  void send(End& from, StreamId id, std::string message) {
    const std::lock_guard lock(mutex_);
    const auto found = streams_.find(id);
    if (found == streams_.end()) return;
    Stream& stream = found->second;
    size_t& unread = stream.unread_from(from);
    unread += message.size() + kEventBytes;
    if (message.size() > kMaxMessageBytes) {
      const std::string why = str("a message of ", message.size(), " bytes is over the limit of ", kMaxMessageBytes);
      break_stream(id, from, why, why);
    } else if (unread > kMaxUnsentBytes) {
      break_stream(id, from, str("the other end is more than ", kMaxUnsentBytes, " bytes behind"), "cut off: too slow");
    } else {
      tell(stream.other_than(from), StreamMessage{id, std::move(message)});
    }
  }

  void close(End& end, StreamId id) {
    const std::lock_guard lock(mutex_);
    if (streams_.contains(id)) break_stream(id, end, "closed by this end", "the other end closed");
  }

  std::optional<ControlEvent> take(End& end, Duration timeout) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, timeout, [&] { return !end.events.empty(); });
    if (end.events.empty()) return std::nullopt;
    ControlEvent event = std::move(end.events.front());
    end.events.pop_front();
    if (const auto* message = std::get_if<StreamMessage>(&event)) {
      const auto found = streams_.find(message->stream);
      if (found != streams_.end()) {
        found->second.unread_from(found->second.other_than(end)) -= message->bytes.size() + kEventBytes;
      }
    }
    return event;
  }

 private:
  struct Stream {
    End* server = nullptr;
    End* client = nullptr;
    size_t unread_from_server = 0;
    size_t unread_from_client = 0;

    End& other_than(const End& end) const { return &end == server ? *client : *server; }
    size_t& unread_from(const End& end) { return &end == server ? unread_from_server : unread_from_client; }
  };

  void connect(End& client) {
    if (server_ == nullptr) return;
    const StreamId id = ++last_id_;
    streams_[id] = {.server = server_, .client = &client};
    tell(*server_, StreamOpened{id});
    tell(client, StreamOpened{id});
  }

  // `by` is the end that is to blame. A client that is still there dials again.
  void break_stream(StreamId id, End& by, const std::string& why_here, const std::string& why_there) {
    const Stream stream = streams_.extract(id).mapped();
    tell(by, StreamClosed{id, why_here});
    tell(stream.other_than(by), StreamClosed{id, why_there});
    if (std::ranges::find(clients_, stream.client) != clients_.end()) connect(*stream.client);
  }

  void tell(End& end, ControlEvent event) {
    end.events.push_back(std::move(event));
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  End* server_ = nullptr;
  std::vector<End*> clients_;
  std::map<StreamId, Stream> streams_;
  StreamId last_id_ = 0;
};

MemoryControl::End::~End() { hub_.remove(*this); }
void MemoryControl::End::send(StreamId stream, std::string message) { hub_.send(*this, stream, std::move(message)); }
void MemoryControl::End::close(StreamId stream) { hub_.close(*this, stream); }
std::optional<ControlEvent> MemoryControl::End::wait(Duration timeout) { return hub_.take(*this, timeout); }

MemoryControl::MemoryControl() : hub_(std::make_unique<Hub>()) {}
MemoryControl::~MemoryControl() = default;

std::unique_ptr<ControlStream> MemoryControl::listen() {
  auto end = std::make_unique<End>(*hub_);
  hub_->add_server(*end);
  return end;
}

std::unique_ptr<ControlStream> MemoryControl::dial() {
  auto end = std::make_unique<End>(*hub_);
  hub_->add_client(*end);
  return end;
}

}  // namespace ferry
