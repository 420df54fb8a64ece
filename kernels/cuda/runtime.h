#pragma once
// What we need of the CUDA runtime: memory, streams, events, copies in a stream's order. nvcc/runtime.cc calls the
// card's driver, host/runtime.cc is this machine's memory and does everything at once. Failures are Errors with the
// runtime's words.

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "core/seam/clock.h"

namespace ferry::cuda {

struct Stream {
  void* handle = nullptr;
  const std::function<void(Duration)>* look = nullptr;  // as Device::watch has it
  bool can_begin_early = false;                         // a kernel, before those launched before it have ended
};

std::string runtime_name();  // "CUDA 13.0"

// Why this machine has no card that we can use; empty where it has one.
std::string why_no_card();

// For all that this thread does from now on; returns its name.
std::string use_card(int index);
int n_multiprocessors();     // of the card that this thread uses
size_t most_shared_bytes();  // of a block, on that card
Stream make_stream();
void end_stream(Stream stream) noexcept;
void wait(Stream stream);  // until all is done; what failed on the way is thrown here

std::byte* allocate(size_t n_bytes);
void release(std::byte* memory) noexcept;

void upload(void* to, const void* from, size_t n_bytes, Stream stream);    // `from` is free again at return
void download(void* to, const void* from, size_t n_bytes, Stream stream);  // done at return
// Either way, done when the stream gets there; the host's side is pinned, or the call waits.
void start_copy(void* to, const void* from, size_t n_bytes, Stream stream);

struct Event {
  void* handle = nullptr;
};
Event make_event();
void end_event(Event event) noexcept;
void record(Event event, Stream stream);  // behind everything in the stream so far
bool reached(Event event);                // as recorded last

bool pin(std::span<std::byte> memory);  // false: this machine does not pin it
void unpin(std::span<std::byte> memory) noexcept;

}  // namespace ferry::cuda
