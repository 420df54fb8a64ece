#include "parallel/mpi_messages.h"

#include <sched.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <exception>
#include <thread>

#include "core/base/check.h"
#include "core/base/error.h"

namespace ferry {

namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr int kTag = 0;  // messages between two ranks stay in order, and nothing else uses the communicator

void throw_unless_success(int code, const char* what) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw Error(str(what, ": ", std::string(text, static_cast<size_t>(length))));
}

int count_of(size_t n_bytes) {
  check(n_bytes <= INT_MAX, "a message has less than 2 GiB");
  return static_cast<int>(n_bytes);
}

// Ranks may be more than cores: whoever waits has to let the others run, but not before a message between two running
// ranks had time to come.
class Backoff {
 public:
  void pause() {
    if (++n_ > kPolls) sched_yield();
  }

 private:
  static constexpr int kPolls = 200;
  int n_ = 0;
};

// A group without work waits for hours.
class Nap {
 public:
  void pause() {
    if (SteadyClock::now() < awake_until_) return;
    std::this_thread::sleep_for(length_);
    length_ = std::min(2 * length_, kLongest);
  }

 private:
  static constexpr auto kLongest = std::chrono::microseconds(200);
  SteadyClock::time_point awake_until_ = SteadyClock::now() + std::chrono::microseconds(50);
  std::chrono::microseconds length_{50};
};

}  // namespace

MpiMessages::MpiMessages(MPI_Comm comm, Duration timeout) : comm_(comm), timeout_(timeout) {
  MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN);
  MPI_Comm_rank(comm_, &rank_);
  MPI_Comm_size(comm_, &size_);
  outbox_.resize(static_cast<size_t>(size_));
  inbox_.resize(static_cast<size_t>(size_));
}

MpiMessages::~MpiMessages() {
  if (!failed_.empty() || std::uncaught_exceptions() > 0) return;  // freeing is collective; the others may be gone
  MPI_Comm comm = comm_;
  MPI_Comm_free(&comm);
}

void MpiMessages::begin(Collective collective) {
  if (!failed_.empty()) throw Error(failed_);
  check(expected_.handles.empty() && moving_.handles.empty(), "the collective before was finished");
  collective_ = collective;
  ++sequence_;
}

void MpiMessages::send(int peer, std::span<const std::byte> bytes) {
  Envelope& envelope = outbox_[static_cast<size_t>(peer)];
  envelope.header = {.collective = collective_, .sequence = sequence_, .n_bytes = bytes.size()};
  const bool is_short = bytes.size() <= kShortBytes;
  if (is_short) std::copy(bytes.begin(), bytes.end(), envelope.payload);
  start(moving_, peer, std::as_bytes(std::span(&envelope, 1)).first(sizeof(Header) + (is_short ? bytes.size() : 0)));
  if (!is_short) start(moving_, peer, bytes);
}

void MpiMessages::start(Requests& requests, int peer, std::span<const std::byte> bytes) {
  requests.peers.push_back(peer);
  throw_unless_success(MPI_Isend(bytes.data(), count_of(bytes.size()), MPI_BYTE, peer, kTag, comm_,
                                 &requests.handles.emplace_back(MPI_REQUEST_NULL)),
                       "cannot send to another rank");
}

void MpiMessages::expect(int peer) {
  expected_.peers.push_back(peer);
  throw_unless_success(MPI_Irecv(&inbox_[static_cast<size_t>(peer)], sizeof(Envelope), MPI_BYTE, peer, kTag, comm_,
                                 &expected_.handles.emplace_back(MPI_REQUEST_NULL)),
                       "cannot receive from another rank");
}

void MpiMessages::await_expected() {
  wait(expected_);
  compare_headers();
}

void MpiMessages::await_expected(const std::function<void()>& idle) {
  for (Nap nap; !all_done(expected_); nap.pause()) idle();
  compare_headers();
}

size_t MpiMessages::size_of_message(int peer) const { return inbox_[static_cast<size_t>(peer)].header.n_bytes; }

void MpiMessages::receive(int peer, std::span<std::byte> bytes) {
  const Envelope& envelope = inbox_[static_cast<size_t>(peer)];
  if (envelope.header.n_bytes != bytes.size()) {
    fail(str("the ranks diverged: in ", name_of(collective_), " ", sequence_, " rank ", peer, " sends ",
             envelope.header.n_bytes, " bytes where rank ", rank_, " needs ", bytes.size()));
  }
  if (bytes.size() <= kShortBytes) {
    std::copy_n(envelope.payload, bytes.size(), bytes.begin());
    return;
  }
  moving_.peers.push_back(peer);
  throw_unless_success(MPI_Irecv(bytes.data(), count_of(bytes.size()), MPI_BYTE, peer, kTag, comm_,
                                 &moving_.handles.emplace_back(MPI_REQUEST_NULL)),
                       "cannot receive from another rank");
}

void MpiMessages::finish() {
  wait(moving_);
  moving_.clear();
}

bool MpiMessages::all_done(Requests& requests) {
  int done = 0;
  throw_unless_success(
      MPI_Testall(static_cast<int>(requests.handles.size()), requests.handles.data(), &done, MPI_STATUSES_IGNORE),
      "a message between ranks failed");
  return done != 0;
}

void MpiMessages::wait(Requests& requests) {
  const SteadyClock::time_point deadline = SteadyClock::now() + timeout_;
  for (Backoff backoff; !all_done(requests); backoff.pause()) {
    if (SteadyClock::now() < deadline) continue;
    std::string missing;
    for (size_t i = 0; i < requests.handles.size(); ++i) {
      if (requests.handles[i] != MPI_REQUEST_NULL) missing += str(" ", requests.peers[i]);
    }
    fail(str("rank ", rank_, " of ", size_, " waited ", std::chrono::duration<double>(timeout_).count(), " s in ",
             name_of(collective_), " ", sequence_, " for rank", missing));
  }
}

void MpiMessages::compare_headers() {
  for (const int peer : expected_.peers) {
    const Header& header = inbox_[static_cast<size_t>(peer)].header;
    if (header.collective == collective_ && header.sequence == sequence_) continue;
    fail(str("the ranks diverged: rank ", rank_, " is in ", name_of(collective_), " ", sequence_, ", rank ", peer,
             " in ", name_of(header.collective), " ", header.sequence));
  }
  expected_.clear();
}

void MpiMessages::fail(const std::string& why) {
  failed_ = why;
  abandon(expected_);
  abandon(moving_);
  throw Error(why);
}

// The memory of these messages goes away while the Error unwinds. What MPI can take back it does; a long send may
// still be read, and then carries nonsense to a group that has already failed.
void MpiMessages::abandon(Requests& requests) {
  for (MPI_Request& request : requests.handles) {
    if (request == MPI_REQUEST_NULL) continue;
    MPI_Cancel(&request);
    MPI_Request_free(&request);
  }
  requests.clear();
}

}  // namespace ferry
