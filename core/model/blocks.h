#pragma once
// One block of each tensor format to its values: what the bytes of a GGUF tensor mean. This is the plain definition;
// kernels that are faster are held against it.

#include <cstddef>

namespace ferry {

void dequantize_f32(const std::byte* block, float* out);   // out [1]
void dequantize_f16(const std::byte* block, float* out);   // out [1]
void dequantize_bf16(const std::byte* block, float* out);  // out [1]
void dequantize_q8_0(const std::byte* block, float* out);  // out [32], and so all q?_0 and q?_1
void dequantize_q4_0(const std::byte* block, float* out);
void dequantize_q4_1(const std::byte* block, float* out);
void dequantize_q5_0(const std::byte* block, float* out);
void dequantize_q5_1(const std::byte* block, float* out);
void dequantize_q4_k(const std::byte* block, float* out);  // out [256], and so all q?_k
void dequantize_q5_k(const std::byte* block, float* out);
void dequantize_q6_k(const std::byte* block, float* out);

}  // namespace ferry
