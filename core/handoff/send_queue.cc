#include "core/handoff/send_queue.h"

#include <utility>

namespace ferry {

void SendQueue::push(Load load) {
  const Instant due = load.due;
  waiting_.emplace(due, std::move(load));
}

std::optional<Load> SendQueue::next() {
  if (waiting_.empty() || posted_bytes_ >= window_bytes_) return std::nullopt;
  Load load = std::move(waiting_.begin()->second);
  waiting_.erase(waiting_.begin());
  posted_bytes_ += load.bytes;
  return load;
}

int SendQueue::drop(const wire::TicketName& ticket) {
  return static_cast<int>(std::erase_if(waiting_, [&](const auto& entry) { return entry.second.ticket == ticket; }));
}

}  // namespace ferry
