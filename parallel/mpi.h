#pragma once
// The MPI job that this process is a rank of.

#include <memory>
#include <span>

#include "core/seam/clock.h"
#include "core/seam/communicator.h"

namespace ferry {

// Whether mpirun, or a batch system in its place, started this process; it says so in the environment only. A process
// that was started by hand need not touch MPI at all.
bool launched_by_mpirun();

// Between construction and destruction MPI can be used, by the constructing thread only. Communicators must not
// outlive the session.
//
// A session that ends by an exception ends its job: when this process exits, the other ranks are ended too.
class MpiSession {
 public:
  MpiSession();
  ~MpiSession();
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  int local_ranks() const { return local_ranks_; }  // of this job on this host, this one included
  int local_rank() const { return local_rank_; }    // among them
  int first_local() const { return first_local_; }  // the rank of the first of them

  // MPI's own sum over all ranks of the session, to hold ours against: in an order of its choice, and without a
  // timeout.
  void mpi_all_reduce(std::span<float> values);

  // The ranks that pass the same color, in the order of their ranks here. All ranks of the session have to call this.
  // A rank that is waited for longer than `timeout` is a failure of its whole group.
  std::unique_ptr<Communicator> split(int color, Duration timeout = std::chrono::seconds(30));

 private:
  int rank_ = 0;
  int size_ = 1;
  int local_ranks_ = 1;
  int local_rank_ = 0;
  int first_local_ = 0;
  int n_exceptions_ = 0;  // in flight at construction
};

}  // namespace ferry
