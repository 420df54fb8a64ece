#pragma once
// What we need of the CUDA runtime: memory, streams, events, copies in a stream's order. nvcc/runtime.cc calls the
// card's driver, host/runtime.cc is this machine's memory and does everything at once. Failures are Errors with the
// runtime's words.

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "core/seam/device.h"
#include "kernels/cuda/cuda_card.h"

namespace ferry::cuda {

struct Stream {
  void* handle = nullptr;
  const std::function<void(Duration)>* look = nullptr;  // as Device::watch has it
  bool can_begin_early = false;                         // a kernel, before those launched before it have ended
};

std::string runtime_name();  // "CUDA 13.0"

// Why this machine has no card that we can use; empty where it has one.
std::string why_no_card();

int n_cards();  // that this process sees
CudaCard card_facts(int index);

void use_card(int index);    // for all that this thread does from now on
int n_multiprocessors();     // of the card that this thread uses
size_t most_shared_bytes();  // of a block, on that card
Stream make_stream();
void end_stream(Stream stream) noexcept;
void wait(Stream stream);  // until all is done; what failed on the way is thrown here

std::byte* allocate(size_t n_bytes);
void release(std::byte* memory) noexcept;

void upload(void* to, const void* from, size_t n_bytes, Stream stream);  // `from` is free again at return
void download(std::span<const DeviceCopy> copies, Stream stream);        // done at return
// Either way, done when the stream gets there; the host's side is pinned, or the call waits.
void start_copy(void* to, const void* from, size_t n_bytes, Stream stream);

// Launches as they were recorded, to be done again as one. Launches of this thread alone: others may use the card.
struct Graph {
  void* handle = nullptr;
};
void begin_recording(Stream stream);  // launches are not done from here on, and no others are allowed
Graph end_recording(Stream stream);
void drop_recording(Stream stream) noexcept;
void end_graph(Graph graph) noexcept;  // also one that is none
void replay(Graph graph, Stream stream);

struct Event {
  void* handle = nullptr;
};
Event make_event();
void end_event(Event event) noexcept;
void record(Event event, Stream stream);  // behind everything in the stream so far
bool reached(Event event);                // as recorded last

std::string pin(std::span<std::byte> memory);  // why this machine does not pin it; empty: it does
void unpin(std::span<std::byte> memory) noexcept;

}  // namespace ferry::cuda
