# Programs for mpirun. Ranks share this host and are more than its cores, so they have to yield when they wait; they
# need no network.
set(FERRY_MPIRUN ${MPIEXEC_EXECUTABLE} --oversubscribe --allow-run-as-root
    --mca mpi_yield_when_idle 1 --mca pml ob1 --mca btl self,vader)
list(JOIN FERRY_MPIRUN " " FERRY_MPIRUN_COMMAND)
# What MPI itself does not give back is not ours to find: for tests whose processes are ranks.
set(FERRY_RANKS_ENVIRONMENT ASAN_OPTIONS=detect_leaks=0)

add_executable(mpi_tests parallel/mpi/main.cc parallel/mpi/mpi_tests.cc)
target_link_libraries(mpi_tests PRIVATE ferry_parallel GTest::gtest)
foreach(n RANGE 1 4)
  add_test(NAME mpi_contract_${n} COMMAND ${FERRY_MPIRUN} -n ${n} $<TARGET_FILE:mpi_tests>)
  set_tests_properties(mpi_contract_${n} PROPERTIES TIMEOUT 120 PROCESSORS 2 ENVIRONMENT "${FERRY_RANKS_ENVIRONMENT}")
endforeach()

add_executable(rank_that_fails parallel/mpi/rank_that_fails.cc)
target_link_libraries(rank_that_fails PRIVATE ferry_parallel)
add_dependencies(parallel_tests rank_that_fails)
target_compile_definitions(parallel_tests PRIVATE FERRY_MPIRUN="${FERRY_MPIRUN_COMMAND}")
