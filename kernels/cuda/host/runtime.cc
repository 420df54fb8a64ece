// A card made of this machine's memory. Everything is done when a call returns.

#include "kernels/cuda/runtime.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace ferry::cuda {

std::string runtime_name() { return "emulated CUDA"; }
std::string why_no_card() { return {}; }
std::string use_card(int) { return "emulated"; }
int n_multiprocessors() { return 2; }
size_t most_shared_bytes() { return size_t{227} << 10; }
Stream make_stream() { return {}; }
void end_stream(Stream) noexcept {}
void wait(Stream) {}

std::byte* allocate(size_t n_bytes) {
  void* memory = std::malloc(n_bytes);
  if (memory == nullptr) throw std::bad_alloc();
  std::memset(memory, 0xff, n_bytes);  // as f32 and bf16 not a number: what is read before it is written shows
  return static_cast<std::byte*>(memory);
}

void release(std::byte* memory) noexcept { std::free(memory); }

void upload(void* to, const void* from, size_t n_bytes, Stream) {
  if (n_bytes > 0) std::memcpy(to, from, n_bytes);
}
void download(void* to, const void* from, size_t n_bytes, Stream) {
  if (n_bytes > 0) std::memcpy(to, from, n_bytes);
}

void start_copy(void* to, const void* from, size_t n_bytes, Stream stream) { upload(to, from, n_bytes, stream); }

Event make_event() { return {}; }
void end_event(Event) noexcept {}
void record(Event, Stream) {}
bool reached(Event) { return true; }

bool pin(std::span<std::byte>) { return true; }
void unpin(std::span<std::byte>) noexcept {}

}  // namespace ferry::cuda
