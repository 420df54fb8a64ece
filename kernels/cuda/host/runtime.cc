// A card made of this machine's memory. Everything is done when a call returns.

#include "kernels/cuda/runtime.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <utility>

#include "core/base/error.h"
#include "kernels/cuda/host/emulator.h"
#include "kernels/cuda/host/recorder.h"

namespace ferry {

namespace {

std::atomic<int> calls_until_lost = -1;
std::atomic<size_t> most_pinned_bytes = SIZE_MAX;

struct Taken {  // of the card's memory
  std::mutex mutex;
  std::map<const std::byte*, size_t> sizes;
  size_t n_bytes = 0;
  size_t most_bytes = 0;
};
Taken taken;

void take(const std::byte* memory, size_t n_bytes) {
  const std::scoped_lock lock(taken.mutex);
  taken.sizes[memory] = n_bytes;
  taken.n_bytes += n_bytes;
  taken.most_bytes = std::max(taken.most_bytes, taken.n_bytes);
}

void give_back(const std::byte* memory) {
  const std::scoped_lock lock(taken.mutex);
  if (const auto at = taken.sizes.find(memory); at != taken.sizes.end()) {
    taken.n_bytes -= at->second;
    taken.sizes.erase(at);
  }
}

// As nvcc/runtime.cc words what a card answers when it has fallen off the bus.
void reach_card(const char* what) {
  int left = calls_until_lost;
  while (left > 0 && !calls_until_lost.compare_exchange_weak(left, left - 1)) continue;
  if (left == 0) throw Error(str("CUDA: ", what, ": unspecified launch failure"));
}

}  // namespace

void emulator::lose_card_after(int n_calls) { calls_until_lost = n_calls; }
void emulator::pin_at_most(size_t n_bytes) { most_pinned_bytes = n_bytes; }
size_t emulator::most_taken_bytes() {
  const std::scoped_lock lock(taken.mutex);
  return std::exchange(taken.most_bytes, taken.n_bytes);
}

}  // namespace ferry

namespace ferry::cuda {

using emulator::check_not_recording;
using emulator::do_or_record;
using emulator::Recorder;
using emulator::Works;

std::string runtime_name() { return "emulated CUDA"; }
std::string why_no_card() { return {}; }
int n_cards() { return 1; }
CudaCard card_facts(int) {
  constexpr size_t kBytes = size_t{64} << 30;
  return {.name = "emulated", .id = "GPU-emulated", .why_unusable = {}, .free_bytes = kBytes, .total_bytes = kBytes};
}
void use_card(int) {}
size_t most_shared_bytes() { return size_t{227} << 10; }
int n_multiprocessors() { return 2; }
Stream make_stream() { return {.handle = new Recorder()}; }
void end_stream(Stream stream) noexcept { delete static_cast<Recorder*>(stream.handle); }
void wait(Stream stream) {
  check_not_recording(stream);
  reach_card("a step failed");
}

std::byte* allocate(size_t n_bytes) {
  reach_card("memory of the card");
  void* memory = std::malloc(n_bytes);
  if (memory == nullptr) throw std::bad_alloc();
  take(static_cast<const std::byte*>(memory), n_bytes);
  std::memset(memory, 0xff, n_bytes);  // as f32 and bf16 not a number: what is read before it is written shows
  return static_cast<std::byte*>(memory);
}

void release(std::byte* memory) noexcept {
  give_back(memory);
  std::free(memory);
}

void upload(void* to, const void* from, size_t n_bytes, Stream stream) {
  check_not_recording(stream);
  reach_card("copying to the card failed");
  if (n_bytes > 0) std::memcpy(to, from, n_bytes);
}
void download(std::span<const DeviceCopy> copies, Stream stream) {
  check_not_recording(stream);
  for (const DeviceCopy& copy : copies) {
    reach_card("copying from the card failed");
    if (copy.n_bytes > 0) std::memcpy(copy.to, copy.from, copy.n_bytes);
  }
}

void start_copy(void* to, const void* from, size_t n_bytes, Stream) {
  reach_card("a copy beside a step failed");
  if (n_bytes > 0) std::memcpy(to, from, n_bytes);
}

void begin_recording(Stream stream) { static_cast<Recorder*>(stream.handle)->records = true; }
void drop_recording(Stream stream) noexcept { *static_cast<Recorder*>(stream.handle) = {}; }
Graph end_recording(Stream stream) {
  const Graph graph = {.handle = new Works(std::move(static_cast<Recorder*>(stream.handle)->works))};
  drop_recording(stream);
  return graph;
}
void end_graph(Graph graph) noexcept { delete static_cast<Works*>(graph.handle); }
void replay(Graph graph, Stream stream) {
  for (const auto& work : *static_cast<const Works*>(graph.handle)) do_or_record(stream, work);
}

Event make_event() { return {}; }
void end_event(Event) noexcept {}
void record(Event, Stream) {}
bool reached(Event) {
  reach_card("a step failed");
  return true;
}

std::string pin(std::span<std::byte> memory) { return memory.size() > most_pinned_bytes ? "out of memory" : ""; }
void unpin(std::span<std::byte>) noexcept {}

}  // namespace ferry::cuda
