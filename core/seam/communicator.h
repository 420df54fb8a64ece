#pragma once
// The collectives of one tensor-parallel group. All ranks call the same ones in the same order; a rank that does not
// within the group's timeout is a failure of the whole group: Error on every rank that waits.
//
// Implementations: solo (a group of one), threads (tests), MPI, and over MPI groups of CUDA cards. Every rank gets the
// same bits of a sum: all sum in rank order, but for NCCL, which has an order of its own.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace ferry {

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  // values [n] becomes the sum over ranks, on every rank. They are memory of the device that the group's Ops compute
  // in, summed in the order of what was launched there: what comes after may be launched at once.
  virtual void all_reduce_sum(std::span<float> values) = 0;

  // Whether all_reduce_sum only launches, as Ops do: nothing waits on the host, so a captured graph may contain it.
  virtual bool in_stream() const = 0;

  // This and what follows is memory of the process.
  // Rank 0's `all` becomes the ranks' `mine`, one after the other; sizes may differ (all.size() is their sum). Others
  // pass an empty `all`.
  virtual void gather(std::span<const float> mine, std::span<float> all) = 0;

  // Rank 0 gets what each rank gave, in rank order; the others get an empty vector.
  virtual std::vector<std::string> gather_bytes(const std::string& mine) = 0;

  // Rank 0's bytes, on every rank. A rank that waits calls `idle` again and again (it drives the network there, and
  // naps). There is no timeout here: a group without work waits in this call.
  virtual void broadcast(std::string& bytes, const std::function<void()>& idle) = 0;
};

}  // namespace ferry
