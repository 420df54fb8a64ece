#pragma once
// What every Communicator has to do, written as what one rank does: each body runs on all ranks of a group, and
// returns what is wrong ("" if nothing is). The tests run them over threads and, under mpirun, over processes.

#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/seam/communicator.h"

namespace ferry::contract {

// Deterministic in (rank, round): every rank can compute what the others have. The values span many magnitudes, so a
// sum in another order has other bits.
inline std::vector<float> values_of(int rank, int round, size_t n) {
  std::mt19937 random(static_cast<uint32_t>(1000 * round + rank));
  std::uniform_real_distribution<float> mantissa(-1.0F, 1.0F);
  std::uniform_int_distribution<int> exponent(-12, 12);
  std::vector<float> values(n);
  for (float& value : values) value = std::ldexp(mantissa(random), exponent(random));
  return values;
}

inline std::vector<float> sum_in_rank_order(int n_ranks, int round, size_t n) {
  std::vector<float> sum = values_of(0, round, n);
  for (int rank = 1; rank < n_ranks; ++rank) {
    const std::vector<float> values = values_of(rank, round, n);
    for (size_t i = 0; i < n; ++i) sum[i] += values[i];
  }
  return sum;
}

inline std::string difference(const std::vector<float>& got, const std::vector<float>& wanted) {
  if (got.size() != wanted.size()) return str(got.size(), " values instead of ", wanted.size());
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::bit_cast<uint32_t>(got[i]) == std::bit_cast<uint32_t>(wanted[i])) continue;
    return str("value ", i, " of ", got.size(), " is ", got[i], " instead of ", wanted[i]);
  }
  return "";
}

inline std::string all_reduce_sums_in_rank_order(Communicator& group) {
  int round = 0;
  for (const size_t n : {0, 1, 2, 3, 7, 576, 16384, 16385, 100'000, 7, 0, 576}) {
    std::vector<float> values = values_of(group.rank(), round, n);
    group.all_reduce_sum(values);
    std::string wrong = difference(values, sum_in_rank_order(group.size(), round, n));
    if (!wrong.empty()) return wrong;
    ++round;
  }
  return "";
}

inline std::string gather_concatenates_uneven_parts(Communicator& group) {
  // Rank r gives this many values; the second row leaves every other rank without any, the last all of them.
  const auto count = [](int row, int rank) -> size_t {
    return row == 0 ? 5 + 3 * rank : row == 1 ? 300'000 * (rank % 2) : 0;
  };
  for (const int row : {0, 1, 2}) {
    std::vector<float> wanted;
    for (int rank = 0; rank < group.size(); ++rank) {
      const std::vector<float> part = values_of(rank, row, count(row, rank));
      wanted.insert(wanted.end(), part.begin(), part.end());
    }
    std::vector<float> all(group.rank() == 0 ? wanted.size() : 0);
    group.gather(values_of(group.rank(), row, count(row, group.rank())), all);
    std::string wrong = group.rank() == 0 ? difference(all, wanted) : "";
    if (!wrong.empty()) return wrong;
  }
  return "";
}

inline std::string bytes_of(int seed, size_t n) {
  std::mt19937 random(static_cast<uint32_t>(seed));
  std::string bytes(n, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

inline std::string gather_bytes_keeps_rank_order(Communicator& group) {
  const auto given = [](int rank) { return bytes_of(rank, rank == 1 ? 0 : 1000 * static_cast<size_t>(rank) + 1); };
  const std::vector<std::string> all = group.gather_bytes(given(group.rank()));
  if (group.rank() != 0) return all.empty() ? "" : "a rank other than 0 got bytes";
  if (all.size() != static_cast<size_t>(group.size())) return str(all.size(), " parts");
  for (int rank = 0; rank < group.size(); ++rank) {
    if (all[static_cast<size_t>(rank)] != given(rank)) return str("wrong bytes from rank ", rank);
  }
  return "";
}

inline std::string broadcast_replaces_everyones_bytes(Communicator& group) {
  int round = 0;
  for (const size_t n : {0UL, 1UL, 100UL, 70'000UL, 4UL << 20, 3UL, 0UL}) {
    std::string bytes = group.rank() == 0 ? bytes_of(round, n) : str("left from before by rank ", group.rank());
    group.broadcast(bytes, [] {});
    if (bytes != bytes_of(round, n)) return str("wrong ", bytes.size(), " bytes for a broadcast of ", n);
    ++round;
  }
  return "";
}

// Mixed collectives back to back: nothing of one may be taken for a part of the next.
inline std::string many_collectives_in_a_row_stay_apart(Communicator& group) {
  for (int round = 0; round < 200; ++round) {
    std::string step = group.rank() == 0 ? str("step ", round) : "";
    group.broadcast(step, [] {});
    if (step != str("step ", round)) return str("step ", round, " is called ", step);
    const size_t n = 1 + static_cast<size_t>(round) * 7 % 600;
    for (int layer = 0; layer < 4; ++layer) {
      std::vector<float> values = values_of(group.rank(), round + layer, n);
      group.all_reduce_sum(values);
      const std::string wrong = difference(values, sum_in_rank_order(group.size(), round + layer, n));
      if (!wrong.empty()) return str("round ", round, ": ", wrong);
    }
    std::vector<float> all(group.rank() == 0 ? static_cast<size_t>(group.size()) : 0);
    group.gather(std::vector<float>{static_cast<float>(group.rank() + round)}, all);
    for (size_t rank = 0; rank < all.size(); ++rank) {
      if (all[rank] != static_cast<float>(rank) + static_cast<float>(round)) return str("round ", round, " mixed up");
    }
  }
  return "";
}

// Rank 0 does not come before the others said that they were idle: the test hangs, if nobody calls it.
inline std::string a_rank_that_waits_for_a_broadcast_calls_idle(Communicator& group,
                                                                const std::function<void()>& say_idle,
                                                                const std::function<void()>& wait_for_idle_ranks) {
  std::string bytes = group.rank() == 0 ? "go" : "";
  if (group.rank() == 0) wait_for_idle_ranks();
  int n_idle = 0;
  group.broadcast(bytes, [&] {
    if (++n_idle == 3) say_idle();
  });
  return bytes == "go" ? "" : "wrong bytes";
}

struct Case {
  const char* name;
  std::string (*body)(Communicator&);
};
inline void PrintTo(const Case& printed, std::ostream* out) { *out << printed.name; }

inline constexpr Case kCases[] = {
    {"AllReduceSumsInRankOrder", all_reduce_sums_in_rank_order},
    {"GatherConcatenatesUnevenParts", gather_concatenates_uneven_parts},
    {"GatherBytesKeepsRankOrder", gather_bytes_keeps_rank_order},
    {"BroadcastReplacesEveryonesBytes", broadcast_replaces_everyones_bytes},
    {"ManyCollectivesInARowStayApart", many_collectives_in_a_row_stay_apart},
};

}  // namespace ferry::contract
