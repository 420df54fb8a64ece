#pragma once
// Collectives over MPI messages. MPI has collectives of its own, but sums in an order of its own choice and waits for
// ever.

#include <vector>

#include "core/seam/communicator.h"
#include "parallel/mpi_messages.h"

namespace ferry {

class MpiCommunicator final : public Communicator {
 public:
  // Takes `comm` over, and frees it.
  MpiCommunicator(MPI_Comm comm, Duration timeout) : messages_(comm, timeout) {}

  int rank() const override { return messages_.rank(); }
  int size() const override { return messages_.size(); }
  void all_reduce_sum(std::span<float> values) override;
  bool in_stream() const override { return false; }
  void gather(std::span<const float> mine, std::span<float> all) override;
  std::vector<std::string> gather_bytes(const std::string& mine) override;
  void broadcast(std::string& bytes, const std::function<void()>& idle) override;

 private:
  void exchange_whole(std::span<float> values);
  void exchange_slices(std::span<float> values);
  void sum_parts_into(std::span<float> mine);
  void await_all();

  template <class Visit>
  void for_each_peer(Visit visit) const {
    for (int peer = 0; peer < size(); ++peer) {
      if (peer != rank()) visit(peer);
    }
  }
  std::span<float> part_of(int from, size_t n);  // [n]

  MpiMessages messages_;
  std::vector<float> parts_;  // [size, n], what came from each rank to be summed; grows to the largest n
};

}  // namespace ferry
