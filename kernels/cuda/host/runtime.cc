// A card made of this machine's memory. Everything is done when a call returns.

#include "kernels/cuda/runtime.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "kernels/cuda/host/recorder.h"

namespace ferry::cuda {

using emulator::check_not_recording;
using emulator::do_or_record;
using emulator::Recorder;
using emulator::Works;

std::string runtime_name() { return "emulated CUDA"; }
std::string why_no_card() { return {}; }
std::string use_card(int) { return "emulated"; }
Stream make_stream() { return {.handle = new Recorder()}; }
void end_stream(Stream stream) noexcept { delete static_cast<Recorder*>(stream.handle); }
void wait(Stream stream) { check_not_recording(stream); }

std::byte* allocate(size_t n_bytes) {
  void* memory = std::malloc(n_bytes);
  if (memory == nullptr) throw std::bad_alloc();
  std::memset(memory, 0xff, n_bytes);  // as f32 and bf16 not a number: what is read before it is written shows
  return static_cast<std::byte*>(memory);
}

void release(std::byte* memory) noexcept { std::free(memory); }

void upload(void* to, const void* from, size_t n_bytes, Stream stream) {
  check_not_recording(stream);
  if (n_bytes > 0) std::memcpy(to, from, n_bytes);
}
void download(void* to, const void* from, size_t n_bytes, Stream stream) {
  check_not_recording(stream);
  if (n_bytes > 0) std::memcpy(to, from, n_bytes);
}

void start_copy(void* to, const void* from, size_t n_bytes, Stream stream) { upload(to, from, n_bytes, stream); }

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
bool reached(Event) { return true; }

bool pin(std::span<std::byte>) { return true; }
void unpin(std::span<std::byte>) noexcept {}

}  // namespace ferry::cuda
