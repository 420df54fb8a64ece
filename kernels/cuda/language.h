#pragma once
// The CUDA that our kernels are written in. nvcc compiles them for a card; g++ compiles the very same sources for the
// CPU, where each thread of a block is a fiber (host/emulator.h). What this offers beyond CUDA's own words:
//
//   shared_memory<T>()      the block's shared memory, as the T that the launch named
//   mma_bf16, mma_f16       m16n8k16 on the tensor cores, f32 sums
//   load_matrices, …        8 × 8 matrices of shared memory, as the tensor cores want them
//   copy_async, …           from memory to shared memory while the thread goes on
//   launch_early, …         kernels that begin before the one before them has ended
//   bf16_pair, …            the few conversions that CUDA spells differently for every card
//   launch(kernel, shape, parameters)

#ifdef __CUDACC__
#include "kernels/cuda/nvcc/language.h"
#else
#include "kernels/cuda/host/language.h"
#endif
