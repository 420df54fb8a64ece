// A card made of this machine's memory. Everything is done when a call returns.

#include "kernels/cuda/runtime.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#include "core/base/error.h"
#include "kernels/cuda/host/emulator.h"

namespace ferry {

namespace {

std::atomic<int> calls_until_lost = -1;

// As nvcc/runtime.cc words what a card answers when it has fallen off the bus.
void reach_card(const char* what) {
  int left = calls_until_lost;
  while (left > 0 && !calls_until_lost.compare_exchange_weak(left, left - 1)) continue;
  if (left == 0) throw Error(str("CUDA: ", what, ": unspecified launch failure"));
}

}  // namespace

void emulator::lose_card_after(int n_calls) { calls_until_lost = n_calls; }

}  // namespace ferry

namespace ferry::cuda {

std::string runtime_name() { return "emulated CUDA"; }
std::string why_no_card() { return {}; }
int n_cards() { return 1; }
CardFacts card_facts(int) {
  constexpr size_t kBytes = size_t{64} << 30;
  return {.name = "emulated", .id = "GPU-emulated", .why_unusable = {}, .free_bytes = kBytes, .total_bytes = kBytes};
}
void use_card(int) {}
Stream make_stream() { return {}; }
void end_stream(Stream) noexcept {}
void wait(Stream) { reach_card("a step failed"); }

std::byte* allocate(size_t n_bytes) {
  reach_card("memory of the card");
  void* memory = std::malloc(n_bytes);
  if (memory == nullptr) throw std::bad_alloc();
  std::memset(memory, 0xff, n_bytes);  // as f32 and bf16 not a number: what is read before it is written shows
  return static_cast<std::byte*>(memory);
}

void release(std::byte* memory) noexcept { std::free(memory); }

void upload(void* to, const void* from, size_t n_bytes, Stream) {
  reach_card("copying to the card failed");
  if (n_bytes > 0) std::memcpy(to, from, n_bytes);
}
void download(void* to, const void* from, size_t n_bytes, Stream) {
  reach_card("copying from the card failed");
  if (n_bytes > 0) std::memcpy(to, from, n_bytes);
}

void start_copy(void* to, const void* from, size_t n_bytes, Stream) {
  reach_card("a copy beside a step failed");
  if (n_bytes > 0) std::memcpy(to, from, n_bytes);
}

Event make_event() { return {}; }
void end_event(Event) noexcept {}
void record(Event, Stream) {}
bool reached(Event) {
  reach_card("a step failed");
  return true;
}

bool pin(std::span<std::byte>) { return true; }
void unpin(std::span<std::byte>) noexcept {}

}  // namespace ferry::cuda
