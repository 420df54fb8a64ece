#pragma once
// What we need of the CUDA runtime: memory, one stream, copies in its order. nvcc/runtime.cc calls the card's driver,
// host/runtime.cc is this machine's memory and does everything at once. Failures are Errors with the runtime's words.

#include <cstddef>
#include <string>
#include <utility>

namespace ferry::cuda {

struct Stream {
  void* handle = nullptr;
};

struct Card {
  std::string name;
  size_t memory_bytes = 0;
  size_t free_bytes = 0;
};

// Why this machine has no card that we can use; empty where it has one.
std::string why_no_card();

Card use_card(int index);  // for all that this thread does from now on
Stream make_stream();
void end_stream(Stream stream) noexcept;
void wait(Stream stream);  // until all is done; what failed on the way is thrown here

std::byte* allocate(size_t n_bytes);
void release(std::byte* memory) noexcept;

void upload(void* to, const void* from, size_t n_bytes, Stream stream);    // `from` is free again at return
void download(void* to, const void* from, size_t n_bytes, Stream stream);  // done at return

class Memory {  // on the device
 public:
  Memory() = default;
  explicit Memory(size_t n_bytes) : bytes_(n_bytes > 0 ? allocate(n_bytes) : nullptr), n_bytes_(n_bytes) {}
  Memory(Memory&& other) noexcept
      : bytes_(std::exchange(other.bytes_, nullptr)), n_bytes_(std::exchange(other.n_bytes_, 0)) {}
  Memory& operator=(Memory&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(n_bytes_, other.n_bytes_);
    return *this;
  }
  ~Memory() { release(bytes_); }

  std::byte* data() const { return bytes_; }
  size_t size() const { return n_bytes_; }

 private:
  std::byte* bytes_ = nullptr;
  size_t n_bytes_ = 0;
};

}  // namespace ferry::cuda
