#pragma once
// What one rank has to put to one peer, in the order in which it is due, with a bounded number of bytes posted at a
// time: so that a short prompt does not wait behind the backlog of a long one. Pure.

#include <map>
#include <optional>
#include <vector>

#include "core/seam/clock.h"
#include "core/seam/kv_link.h"
#include "core/wire/messages.h"

namespace ferry {

struct Load {
  wire::TicketName ticket;
  Instant due;
  std::vector<Piece> pieces;
  uint64_t bytes = 0;  // of the pieces
};

class SendQueue {
 public:
  explicit SendQueue(uint64_t window_bytes) : window_bytes_(window_bytes) {}

  void push(Load load);
  // The next to post, if the window has room: it is as soon as less than the whole window is posted. It counts as
  // posted until its bytes have landed.
  std::optional<Load> next();
  void landed(uint64_t bytes) { posted_bytes_ -= bytes; }
  // Takes out what was not posted under a ticket. Returns how many loads.
  int drop(const wire::TicketName& ticket);

 private:
  const uint64_t window_bytes_;
  uint64_t posted_bytes_ = 0;
  std::multimap<Instant, Load> waiting_;  // by due; equal ones in order of arrival
};

}  // namespace ferry
