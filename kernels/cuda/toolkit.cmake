# The CUDA compiler, where there is one. Without it the build is whole, and says that it has no CUDA (no_cuda.cc).
# The kernels add about three minutes of one core to a first build.
set(FERRY_CUDA AUTO CACHE STRING "CUDA backend: AUTO (where nvcc is found), ON or OFF")
if(FERRY_CUDA STREQUAL "OFF" OR FERRY_FUZZ)
  return()
endif()

find_program(FERRY_NVCC nvcc HINTS $ENV{CUDA_HOME}/bin /usr/local/cuda/bin)
if(NOT FERRY_NVCC)
  if(FERRY_CUDA STREQUAL "ON")
    message(FATAL_ERROR "FERRY_CUDA is ON, but there is no nvcc in PATH, CUDA_HOME or /usr/local/cuda")
  endif()
  return()
endif()

# Ampere, Hopper and the newest that this compiler knows; cards in between and after translate Ampere's PTX at start.
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  execute_process(COMMAND ${FERRY_NVCC} --list-gpu-arch OUTPUT_VARIABLE known COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[0-9]+" known "${known}")
  list(SORT known COMPARE NATURAL ORDER DESCENDING)
  list(GET known 0 newest)
  set(CMAKE_CUDA_ARCHITECTURES 80 90-real ${newest}-real)
endif()
set(CMAKE_CUDA_COMPILER ${FERRY_NVCC})
enable_language(CUDA)
# CMake 3.25 does not know that this compiler has it.
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
set(CMAKE_CUDA_COMPILER_LAUNCHER ${PROJECT_SOURCE_DIR}/kernels/cuda/compile ${CCACHE})
message(STATUS "CUDA ${CMAKE_CUDA_COMPILER_VERSION} for ${CMAKE_CUDA_ARCHITECTURES}")
