#include "parallel/threads.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "core/base/check.h"
#include "core/base/error.h"
#include "parallel/collective.h"

namespace ferry {

namespace {

// What a rank brings to a collective. The memory is the rank's own: others may touch it from when all have arrived
// until the first has left.
struct Offer {
  Collective collective = Collective::kAllReduceSum;
  size_t agreed_size = 0;  // has to be the same on every rank
  std::span<float> values = {};
  const std::string* bytes = nullptr;
};

std::span<const float> slice_of(int rank, int n_ranks, std::span<const float> values) {
  const size_t begin = values.size() * static_cast<size_t>(rank) / static_cast<size_t>(n_ranks);
  const size_t end = values.size() * static_cast<size_t>(rank + 1) / static_cast<size_t>(n_ranks);
  return values.subspan(begin, end - begin);
}

}  // namespace

// Where the ranks meet and see what the others brought. Between arrive() and leave() nothing can fail, so a rank that
// waits in leave() waits for all: its offer must not go away under them.
class ThreadGroup::Meeting {
 public:
  Meeting(int size, Duration timeout) : timeout_(timeout), offers_(static_cast<size_t>(size)) {}

  int size() const { return static_cast<int>(offers_.size()); }

  // Offers are in rank order, and stay until this rank leaves.
  std::span<const Offer> arrive(int rank, const Offer& offer) {
    std::unique_lock lock(mutex_);
    const int64_t meeting = enter(rank, offer);
    if (!changed_.wait_for(lock, timeout_, [&] { return is_over(meeting); })) {
      abort_locked(str("rank ", rank, " waited ", std::chrono::duration<double>(timeout_).count(), " s in ",
                       name_of(offer.collective), ": ", n_here_, " of ", size(), " ranks came"));
    }
    return offers_of(meeting);
  }

  // As long as somebody is missing, calls `idle`; there is no timeout.
  std::span<const Offer> arrive(int rank, const Offer& offer, const std::function<void()>& idle) {
    std::unique_lock lock(mutex_);
    const int64_t meeting = enter(rank, offer);
    while (!is_over(meeting)) {
      lock.unlock();
      idle();
      lock.lock();
      changed_.wait_for(lock, kNap, [&] { return is_over(meeting); });
    }
    return offers_of(meeting);
  }

  void leave() {
    std::unique_lock lock(mutex_);
    if (--n_inside_ == 0) changed_.notify_all();
    changed_.wait(lock, [&] { return n_inside_ == 0; });  // and stays 0 until this rank arrives again
  }

  void abort(const std::string& why) {
    const std::lock_guard lock(mutex_);
    abort_locked(why);
  }

 private:
  static constexpr auto kNap = std::chrono::microseconds(50);

  // The number of the meeting that this rank waits for.
  int64_t enter(int rank, const Offer& offer) {
    if (aborted_) throw Error(*aborted_);
    offers_[static_cast<size_t>(rank)] = offer;
    if (++n_here_ < size()) return n_met_;
    if (!offers_agree()) throw Error(*aborted_);
    n_here_ = 0;
    n_inside_ = size();
    changed_.notify_all();
    return n_met_++;
  }

  // A meeting that took place is not undone by an abort: the others count on every rank to leave it.
  std::span<const Offer> offers_of(int64_t meeting) const {
    if (n_met_ <= meeting) throw Error(*aborted_);
    return offers_;
  }

  bool is_over(int64_t meeting) const { return n_met_ > meeting || aborted_; }

  bool offers_agree() {
    for (int rank = 1; rank < size(); ++rank) {
      const Offer &first = offers_[0], &other = offers_[static_cast<size_t>(rank)];
      if (first.collective == other.collective && first.agreed_size == other.agreed_size) continue;
      abort_locked(str("the ranks diverged: rank 0 is in ", name_of(first.collective), " of size ", first.agreed_size,
                       ", rank ", rank, " in ", name_of(other.collective), " of size ", other.agreed_size));
      return false;
    }
    return true;
  }

  void abort_locked(const std::string& why) {
    if (!aborted_) aborted_ = why;
    changed_.notify_all();
  }

  const Duration timeout_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Offer> offers_;
  int n_here_ = 0;    // arrived, for the next meeting
  int n_inside_ = 0;  // not yet left the last one
  int64_t n_met_ = 0;
  std::optional<std::string> aborted_;
};

class ThreadGroup::Rank final : public Communicator {
 public:
  Rank(Meeting& meeting, int rank) : meeting_(meeting), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return meeting_.size(); }

  bool in_stream() const override { return false; }

  // Each rank sums its slice, over all ranks in order, and writes it to all.
  void all_reduce_sum(std::span<float> values) override {
    const auto offers = meeting_.arrive(
        rank_, {.collective = Collective::kAllReduceSum, .agreed_size = values.size(), .values = values});
    const auto slice = slice_of(rank_, size(), values);
    const auto begin = static_cast<size_t>(slice.data() - values.data());
    for (size_t i = begin; i < begin + slice.size(); ++i) {
      float sum = offers[0].values[i];
      for (const Offer& offer : offers.subspan(1)) sum += offer.values[i];
      for (const Offer& offer : offers) offer.values[i] = sum;
    }
    meeting_.leave();
  }

  void gather(std::span<const float> mine, std::span<float> all) override {
    // Only read by the others.
    const std::span<float> values(const_cast<float*>(mine.data()), mine.size());
    const auto offers = meeting_.arrive(rank_, {.collective = Collective::kGather, .values = values});
    size_t n_given = 0;
    for (const Offer& offer : offers) n_given += offer.values.size();
    if (rank_ == 0 && n_given == all.size()) copy_in_order(offers, all);
    meeting_.leave();
    if (rank_ == 0 && n_given != all.size()) throw Error(str("gather of ", n_given, " values into ", all.size()));
  }

  std::vector<std::string> gather_bytes(const std::string& mine) override {
    const auto offers = meeting_.arrive(rank_, {.collective = Collective::kGatherBytes, .bytes = &mine});
    std::vector<std::string> all;
    if (rank_ == 0) {
      for (const Offer& offer : offers) all.push_back(*offer.bytes);
    }
    meeting_.leave();
    return all;
  }

  void broadcast(std::string& bytes, const std::function<void()>& idle) override {
    const Offer offer{.collective = Collective::kBroadcast, .bytes = &bytes};
    const auto offers = rank_ == 0 ? meeting_.arrive(rank_, offer) : meeting_.arrive(rank_, offer, idle);
    if (rank_ != 0) bytes = *offers[0].bytes;
    meeting_.leave();
  }

 private:
  static void copy_in_order(std::span<const Offer> offers, std::span<float> all) {
    auto out = all.begin();
    for (const Offer& offer : offers) out = std::copy(offer.values.begin(), offer.values.end(), out);
  }

  Meeting& meeting_;
  const int rank_;
};

ThreadGroup::ThreadGroup(int size, Duration timeout) {
  check(size >= 1, "a group has at least one rank");
  meeting_ = std::make_unique<Meeting>(size, timeout);
  for (int rank = 0; rank < size; ++rank) ranks_.push_back(std::make_unique<Rank>(*meeting_, rank));
}

ThreadGroup::~ThreadGroup() = default;

Communicator& ThreadGroup::communicator(int rank) { return *ranks_.at(static_cast<size_t>(rank)); }

void ThreadGroup::abort(const std::string& why) { meeting_->abort(why); }

void ThreadGroup::run(const std::function<void(Communicator&)>& body) {
  std::mutex mutex;
  std::exception_ptr first_thrown;
  const auto run_rank = [&](Communicator& communicator) {
    try {
      body(communicator);
    } catch (const std::exception& error) {
      {
        const std::lock_guard lock(mutex);
        if (!first_thrown) first_thrown = std::current_exception();
      }
      abort(str("rank ", communicator.rank(), " failed: ", error.what()));
    }
  };
  std::vector<std::thread> threads;
  for (const auto& rank : ranks_) threads.emplace_back(run_rank, std::ref(*rank));
  for (std::thread& thread : threads) thread.join();
  if (first_thrown) std::rethrow_exception(first_thrown);
}

}  // namespace ferry
