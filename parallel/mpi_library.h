#pragma once
// Which MPI runs here; needs no session.

#include <string>

namespace ferry {

std::string mpi_library();  // "Open MPI v4.1.4"

}  // namespace ferry
