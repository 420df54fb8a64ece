#pragma once
// Ops on an NVIDIA card. In a build without CUDA, no_cuda.cc stands behind this.
//
// A row's results do not depend on the rows beside it, nor on where its chunk of the prompt began.

#include <memory>
#include <string>

#include "core/seam/ops.h"
#include "kernels/cuda/cuda_card.h"

namespace ferry {

// How activations enter products on the tensor cores: whole, as three terms of bf16, or rounded to one. Sums are f32 in
// both.
enum class Products : uint8_t { f32, bf16 };

// What matrices are kept as: the codes and scales of the file, or bf16, which they are rounded to once, when they are
// prepared. bf16 is larger, and what products of many rows need not be given anew each time.
enum class Weights : uint8_t { file, bf16 };

struct CudaSettings {
  int card = 0;
  Products products = Products::bf16;
  Weights weights = Weights::file;
  size_t product_scratch_bytes = size_t{256} << 20;   // for many rows; less costs speed only
  size_t attention_scratch_bytes = size_t{64} << 20;  // for contexts that blocks share out; less costs speed only
};

std::string cuda_build();   // "CUDA 13.0", or "no CUDA"
std::string why_no_cuda();  // empty: there are cards here

int n_cuda_cards();  // that this process sees; 0 where why_no_cuda() says why
CudaCard cuda_card(int index);
// Why so much memory of the host cannot be pinned for copies to and from a card; empty: it was, and is not any more.
std::string why_not_pinned(int card, size_t n_bytes);
std::unique_ptr<Ops> make_cuda_ops(const CudaSettings& settings);

}  // namespace ferry
