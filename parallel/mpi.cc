#include "parallel/mpi.h"

#include <mpi.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>

#include "core/base/error.h"
#include "parallel/mpi_communicator.h"
#include "parallel/solo.h"

namespace ferry {

bool launched_by_mpirun() {
  // Open MPI; MPICH and its family; Slurm with PMIx.
  constexpr std::array kSetByLaunchers{"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"};
  return std::any_of(kSetByLaunchers.begin(), kSetByLaunchers.end(),
                     [](const char* name) { return std::getenv(name) != nullptr; });
}

MpiSession::MpiSession() : n_exceptions_(std::uncaught_exceptions()) {
  int provided = 0;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
  if (provided < MPI_THREAD_FUNNELED) {
    MPI_Finalize();
    throw Error("this MPI does not allow other threads beside the one that uses it (MPI_THREAD_FUNNELED)");
  }
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
  MPI_Comm host = MPI_COMM_NULL;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &host);
  MPI_Comm_size(host, &local_ranks_);
  MPI_Comm_rank(host, &local_rank_);
  first_local_ = rank_;
  MPI_Bcast(&first_local_, 1, MPI_INT, 0, host);
  MPI_Comm_free(&host);
}

MpiSession::~MpiSession() {
  if (std::uncaught_exceptions() == n_exceptions_) {
    MPI_Finalize();
    return;
  }
  // Finalizing would wait for the others, and aborting at once would not let main() print what happened.
  std::atexit([] { MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE); });
}

void MpiSession::mpi_all_reduce(std::span<float> values) {
  MPI_Allreduce(MPI_IN_PLACE, values.data(), static_cast<int>(values.size()), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
}

std::unique_ptr<Communicator> MpiSession::split(int color, Duration timeout) {
  MPI_Comm group = MPI_COMM_NULL;
  MPI_Comm_split(MPI_COMM_WORLD, color, rank_, &group);
  int n_ranks = 1;
  MPI_Comm_size(group, &n_ranks);
  if (n_ranks == 1) {  // nothing to send, and the sums of a card's memory are there
    MPI_Comm_free(&group);
    return std::make_unique<SoloCommunicator>();
  }
  return std::make_unique<MpiCommunicator>(group, timeout);
}

}  // namespace ferry
