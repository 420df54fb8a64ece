#pragma once
// The job that the tests of this program share. MPI can be initialized only once a process.

#include <string>

#include "parallel/mpi.h"

namespace ferry {

MpiSession& session();

// What is wrong, from every rank, on every rank: one rank that fails lets the test fail on all, and in rank 0's output.
std::string from_all_ranks(const std::string& wrong);

}  // namespace ferry
