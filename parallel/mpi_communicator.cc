#include "parallel/mpi_communicator.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "core/base/error.h"

namespace ferry {

namespace {

// Up to here every rank sends everything to everyone: one round. Beyond, each rank sums a slice: two rounds, but each
// value crosses twice, whatever the number of ranks.
constexpr size_t kWholeBytes = 64 << 10;

std::span<float> slice_of(std::span<float> values, int rank, int n_ranks) {
  const size_t begin = values.size() * static_cast<size_t>(rank) / static_cast<size_t>(n_ranks);
  const size_t end = values.size() * static_cast<size_t>(rank + 1) / static_cast<size_t>(n_ranks);
  return values.subspan(begin, end - begin);
}

}  // namespace

void MpiCommunicator::all_reduce_sum(std::span<float> values) {
  if (size() == 2 || values.size_bytes() <= kWholeBytes) {
    exchange_whole(values);
  } else {
    exchange_slices(values);
  }
}

void MpiCommunicator::exchange_whole(std::span<float> values) {
  messages_.begin(Collective::kAllReduceSum);
  for_each_peer([&](int peer) {
    messages_.expect(peer);
    messages_.send(peer, std::as_bytes(values));
  });
  messages_.await_expected();
  for_each_peer([&](int peer) { messages_.receive(peer, std::as_writable_bytes(part_of(peer, values.size()))); });
  messages_.finish();
  sum_parts_into(values);
}

void MpiCommunicator::exchange_slices(std::span<float> values) {
  const std::span<float> mine = slice_of(values, rank(), size());
  messages_.begin(Collective::kAllReduceSum);
  for_each_peer([&](int peer) {
    messages_.expect(peer);
    messages_.send(peer, std::as_bytes(slice_of(values, peer, size())));
  });
  messages_.await_expected();
  for_each_peer([&](int peer) { messages_.receive(peer, std::as_writable_bytes(part_of(peer, mine.size()))); });
  messages_.finish();
  sum_parts_into(mine);

  messages_.begin(Collective::kAllReduceSum);
  for_each_peer([&](int peer) {
    messages_.expect(peer);
    messages_.send(peer, std::as_bytes(mine));
  });
  messages_.await_expected();
  for_each_peer([&](int peer) { messages_.receive(peer, std::as_writable_bytes(slice_of(values, peer, size()))); });
  messages_.finish();
}

// In rank order, in blocks that stay in the first-level cache.
void MpiCommunicator::sum_parts_into(std::span<float> mine) {
  constexpr size_t kBlock = 512;
  std::array<float, kBlock> sum;
  for (size_t begin = 0; begin < mine.size(); begin += kBlock) {
    const size_t n = std::min(kBlock, mine.size() - begin);
    const auto block_of = [&](int from) {
      return (from == rank() ? mine : part_of(from, mine.size())).subspan(begin, n);
    };
    std::ranges::copy(block_of(0), sum.begin());
    for (int from = 1; from < size(); ++from) {
      const std::span<const float> values = block_of(from);
      for (size_t i = 0; i < n; ++i) sum[i] += values[i];
    }
    std::ranges::copy(std::span(sum).first(n), mine.begin() + static_cast<std::ptrdiff_t>(begin));
  }
}

std::span<float> MpiCommunicator::part_of(int from, size_t n) {
  parts_.resize(std::max(parts_.size(), n * static_cast<size_t>(size())));
  return std::span(parts_).subspan(static_cast<size_t>(from) * n, n);
}

void MpiCommunicator::gather(std::span<const float> mine, std::span<float> all) {
  messages_.begin(Collective::kGather);
  if (rank() != 0) {
    messages_.send(0, std::as_bytes(mine));
    messages_.finish();
    return;
  }
  await_all();
  size_t n_given = mine.size();
  for_each_peer([&](int peer) { n_given += messages_.size_of_message(peer) / sizeof(float); });
  if (n_given != all.size()) messages_.fail(str("the ranks gather ", n_given, " values into ", all.size()));
  auto end = std::ranges::copy(mine, all.begin()).out;
  for_each_peer([&](int peer) {
    const std::span<float> part(end, messages_.size_of_message(peer) / sizeof(float));
    messages_.receive(peer, std::as_writable_bytes(part));
    end += static_cast<std::ptrdiff_t>(part.size());
  });
  messages_.finish();
}

std::vector<std::string> MpiCommunicator::gather_bytes(const std::string& mine) {
  messages_.begin(Collective::kGatherBytes);
  if (rank() != 0) {
    messages_.send(0, std::as_bytes(std::span(mine)));
    messages_.finish();
    return {};
  }
  await_all();
  std::vector<std::string> all(static_cast<size_t>(size()));
  all[0] = mine;
  for_each_peer([&](int peer) {
    std::string& bytes = all[static_cast<size_t>(peer)];
    bytes.resize(messages_.size_of_message(peer));
    messages_.receive(peer, std::as_writable_bytes(std::span(bytes)));
  });
  messages_.finish();
  return all;
}

void MpiCommunicator::await_all() {
  for_each_peer([&](int peer) { messages_.expect(peer); });
  messages_.await_expected();
}

void MpiCommunicator::broadcast(std::string& bytes, const std::function<void()>& idle) {
  messages_.begin(Collective::kBroadcast);
  if (rank() == 0) {
    for_each_peer([&](int peer) { messages_.send(peer, std::as_bytes(std::span(bytes))); });
  } else {
    messages_.expect(0);
    messages_.await_expected(idle);
    bytes.resize(messages_.size_of_message(0));
    messages_.receive(0, std::as_writable_bytes(std::span(bytes)));
  }
  messages_.finish();
}

}  // namespace ferry
