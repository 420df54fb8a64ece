#include <algorithm>

#include "core/base/hash.h"
#include "core/model/gguf.h"

namespace ferry {
namespace {

constexpr size_t kSampleBytes = 4096;  // a page: reading less of a mapped file costs the same

uint64_t hash_on(std::span<const std::byte> bytes, uint64_t seed) {
  return hash_of({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, seed);
}

// Of the first, a middle and the last part.
uint64_t sampled_hash_of(std::span<const std::byte> bytes, uint64_t seed) {
  const size_t sample = std::min(kSampleBytes, bytes.size());
  const size_t last = bytes.size() - sample;
  for (const size_t begin : {size_t{0}, last / 2, last}) seed = hash_on(bytes.subspan(begin, sample), seed);
  return seed;
}

}  // namespace

uint64_t model_hash(const GgufFile& file) {
  uint64_t hash = hash_on(file.header_bytes(), 0);
  for (const GgufTensor& tensor : file.tensors()) {
    hash = sampled_hash_of({tensor.matrix.data, tensor.n_bytes()}, hash);
  }
  return hash;
}

}  // namespace ferry
