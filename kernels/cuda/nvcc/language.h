#pragma once
// The words of language.h for a card.

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "core/base/error.h"
#include "kernels/cuda/launch_shape.h"

namespace ferry::cuda {

template <class T>
__device__ T& shared_memory() {
  extern __shared__ __align__(16) unsigned char bytes[];
  return *reinterpret_cast<T*>(bytes);
}

constexpr uint32_t kAllLanes = 0xffffffff;

__device__ inline float f32_of_bits(uint32_t bits) { return __uint_as_float(bits); }
__device__ inline uint32_t bits_of_f32(float value) { return __float_as_uint(value); }
__device__ inline float f32_of_half(uint16_t half) { return __half2float(__ushort_as_half(half)); }
__device__ inline uint16_t half_of_f32(float value) { return __half_as_ushort(__float2half_rn(value)); }

// Two bf16 in one word, `low` in its low half, each to the nearest.
__device__ inline uint32_t bf16_pair(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

__device__ inline uint32_t f16_pair(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

// 2 to the power of `exponent`, to about 2⁻²²; what is below f32's normal numbers is 0.
__device__ inline float quick_exp2(float exponent) {
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(exponent));
  return power;
}

// (bits & mask) | also, in one instruction: left to itself, the compiler makes two of constants.
__device__ __forceinline__ uint32_t masked_with(uint32_t bits, uint32_t mask, uint32_t also) {
  uint32_t result;
  asm("lop3.b32 %0, %1, %2, %3, 0xea;" : "=r"(result) : "r"(bits), "r"(mask), "r"(also));
  return result;
}

// a − b, half by half. The product with one is there because Ampere has no subtraction of pairs.
__device__ inline uint32_t bf16_pair_minus(uint32_t a, uint32_t b) {
  constexpr uint32_t kOnes = 0x3f803f80, kSigns = 0x80008000;
  uint32_t difference;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(difference) : "r"(a), "r"(kOnes), "r"(b ^ kSigns));
  return difference;
}

// c += a · b for a tile of 16 rows, 8 columns and 16 products. Of lane l, with g = l / 4 and t = l % 4: a holds rows g,
// g + 8, g, g + 8 at products 2t, 2t, 2t + 8, 2t + 8 and the next of each; b holds products 2t and 2t + 8 and the next
// of each of column g; c holds columns 2t and 2t + 1 of row g, then of row g + 8.
__device__ inline void mma_bf16(float (&c)[4], const uint32_t (&a)[4], uint2 b) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b.x), "r"(b.y));
}

// The same with f16 in a and b.
__device__ inline void mma_f16(float (&c)[4], const uint32_t (&a)[4], uint2 b) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b.x), "r"(b.y));
}

// A place in shared memory in a form whose sums with constants cost nothing: an offset is part of an instruction then.
using SharedPlace = uint32_t;
__device__ inline SharedPlace shared_place(const void* in_shared) {
  return static_cast<SharedPlace>(__cvta_generic_to_shared(in_shared));
}

// Four 8 × 8 matrices of 16-bit values from shared memory. Lane l names row l % 8 of matrix l / 8: 16 bytes, aligned.
// Of each matrix it gets the values 2t and 2t + 1 of row g, with g = l / 4 and t = l % 4.
__device__ inline void load_matrices(uint32_t (&pairs)[4], SharedPlace row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(pairs[0]), "=r"(pairs[1]), "=r"(pairs[2]), "=r"(pairs[3])
               : "r"(row));
}
__device__ inline void load_matrices(uint32_t (&pairs)[4], const void* row) { load_matrices(pairs, shared_place(row)); }

// The same of the matrices turned over: value g of the rows 2t and 2t + 1.
__device__ inline void load_matrices_turned(uint32_t (&pairs)[4], SharedPlace row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(pairs[0]), "=r"(pairs[1]), "=r"(pairs[2]), "=r"(pairs[3])
               : "r"(row));
}
__device__ inline void load_matrices_turned(uint32_t (&pairs)[4], const void* row) {
  load_matrices_turned(pairs, shared_place(row));
}

// Memory that is read soon, and that no kernel writes at the time.
__device__ inline void expect(const void* in_memory) { asm volatile("prefetch.global.L1 [%0];" ::"l"(in_memory)); }

// 16 bytes, aligned, from memory to shared memory; zeros instead where they are not `wanted`: `from` is not read then.
// They are there for this thread after a wait_for_copies, and for others after a barrier on top.
__device__ inline void copy_async(SharedPlace to, const void* from, bool wanted) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(wanted ? 16 : 0) : "memory");
}
__device__ inline void copy_async(void* to_shared, const void* from, bool wanted) {
  copy_async(shared_place(to_shared), from, wanted);
}

// The copies that this thread began since the last call are a group, which may be empty.
__device__ inline void end_copy_group() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Until all of this thread's groups but the `kNewest` last ones are there.
template <int kNewest>
__device__ inline void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kNewest) : "memory");
}

// A kernel that was launched early begins when all blocks of the one before it have said let_next_begin, or ended. What
// that one wrote is there after wait_for_previous, and all that was launched before it has ended then, provided that
// each such kernel waits.
__device__ __forceinline__ void let_next_begin() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
__device__ __forceinline__ void wait_for_previous() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

enum class Begin : uint8_t { after_previous, early };

template <class P>
void launch(void (*kernel)(P), const LaunchShape& shape, const P& parameters, Begin begin = Begin::after_previous) {
  if (shape.grid.x == 0 || shape.grid.y == 0 || shape.grid.z == 0) return;
  constexpr size_t kFreely = 48 << 10;  // more has to be asked for
  if (shape.shared_bytes > kFreely) {
    cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shape.shared_bytes));
    cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout, cudaSharedmemCarveoutMaxShared);
  }
  cudaLaunchAttribute early{};
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(shape.grid.x, shape.grid.y, shape.grid.z);
  config.blockDim = dim3(shape.n_threads);
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = static_cast<cudaStream_t>(shape.stream.handle);
  config.attrs = &early;
  config.numAttrs = begin == Begin::early && shape.stream.can_begin_early ? 1 : 0;
  if (const cudaError_t error = cudaLaunchKernelEx(&config, kernel, parameters); error != cudaSuccess) {
    cudaGetLastError();  // it is told here
    throw Error(str("CUDA: a kernel cannot be launched: ", cudaGetErrorString(error)));
  }
}

template <class P>
void launch_early(void (*kernel)(P), const LaunchShape& shape, const P& parameters) {
  launch(kernel, shape, parameters, Begin::early);
}

}  // namespace ferry::cuda
