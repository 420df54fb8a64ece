#include "parallel/mpi_library.h"

#include <mpi.h>

namespace ferry {

std::string mpi_library() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int n = 0;
  MPI_Get_library_version(text, &n);
  const std::string whole(text, static_cast<size_t>(n));
  return whole.substr(0, whole.find(','));  // what follows is who packaged it, and when
}

}  // namespace ferry
