#pragma once
// The kernels made for one kind of lanes.

#include "kernels/cpu/attention_kernels.h"
#include "kernels/cpu/kernel_set.h"
#include "kernels/cpu/limit_kernels.h"
#include "kernels/cpu/matmul_kernels.h"
#include "kernels/cpu/rope_kernels.h"
#include "kernels/cpu/row_kernels.h"

namespace ferry {
namespace {

template <class L, int kFormat = 0>
void add_format_kernels(KernelSet& set) {
  if constexpr (kFormat < kFormatCount) {
    set.matmul[kFormat] = MatmulKernels<L, kFormat>::matmul;
    set.embed[kFormat] = MatmulKernels<L, kFormat>::embed;
    add_format_kernels<L, kFormat + 1>(set);
  }
}

template <class L>
KernelSet kernel_set_of(const char* name) {
  KernelSet set;
  set.name = name;
  set.lanes = L::kCount;
  add_format_kernels<L>(set);
  set.attention = AttentionKernel<L>::attention;
  set.write_kv = RowKernels<L>::write_kv;
  set.rms_norm = RowKernels<L>::rms_norm;
  set.rope = RopeKernels<L>::rope;
  set.gated_activation = RowKernels<L>::gated_activation;
  set.add = RowKernels<L>::add;
  set.sum_of_weights = RowKernels<L>::sum_of_weights;
  set.chain_multiply_adds = LimitKernels<L>::chain_multiply_adds;
  set.sum = LimitKernels<L>::sum;
  return set;
}

}  // namespace
}  // namespace ferry
