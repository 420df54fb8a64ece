// The CUDA runtime, linked statically: a program with it starts where there is no driver.

#include "kernels/cuda/runtime.h"

#include <cuda_runtime_api.h>

#include "core/base/error.h"
#include "kernels/cuda/nvcc/has_kernels.h"

namespace ferry::cuda {
namespace {

void demand(cudaError_t result, const char* what) {
  if (result != cudaSuccess) throw Error(str("CUDA: ", what, ": ", cudaGetErrorString(result)));
}

int attribute(cudaDeviceAttr what) {
  int card = 0, value = 0;
  demand(cudaGetDevice(&card), "no card");
  demand(cudaDeviceGetAttribute(&value, what, card), "a card does not say what it has");
  return value;
}

cudaStream_t handle_of(Stream stream) { return static_cast<cudaStream_t>(stream.handle); }
cudaGraphExec_t handle_of(Graph graph) { return static_cast<cudaGraphExec_t>(graph.handle); }
cudaEvent_t handle_of(Event event) { return static_cast<cudaEvent_t>(event.handle); }

// As nvidia-smi writes it: GPU-8f3b4c5d-….
std::string id_of(const cudaUUID_t& uuid) {
  std::string text = "GPU";
  for (size_t i = 0; i < sizeof uuid.bytes; ++i) {
    constexpr char kDigits[] = "0123456789abcdef";
    if (i == 0 || i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += {kDigits[uuid.bytes[i] >> 4 & 15], kDigits[uuid.bytes[i] & 15]};
  }
  return text;
}

std::string why_unusable(const cudaDeviceProp& properties) {
  const std::string card = str(properties.name, " has compute capability ", properties.major, ".", properties.minor);
  constexpr int kOldest = 8;  // bf16 on the tensor cores
  if (properties.major < kOldest) return card + ", Ferry needs 8.0 (Ampere) or later";
  if (!has_kernels())
    return card + ", this build has kernels for " FERRY_CUDA_ARCHITECTURES " (CMAKE_CUDA_ARCHITECTURES)";
  return "";
}

}  // namespace

std::string runtime_name() { return str("CUDA ", CUDART_VERSION / 1000, ".", CUDART_VERSION % 1000 / 10); }

std::string why_no_card() {
  int n_cards = 0;
  const cudaError_t result = cudaGetDeviceCount(&n_cards);
  if (result == cudaErrorInsufficientDriver) {
    int driver = 0;
    cudaDriverGetVersion(&driver);
    if (driver == 0) return "no NVIDIA driver on this machine";
    return str("the NVIDIA driver knows CUDA up to ", driver / 1000, ".", driver % 1000 / 10,
               ", this program was built with ", runtime_name());
  }
  if (result != cudaSuccess) return cudaGetErrorString(result);
  return n_cards > 0 ? "" : "no NVIDIA card on this machine";
}

int n_cards() {
  int n = 0;
  demand(cudaGetDeviceCount(&n), "the cards cannot be counted");
  return n;
}

CudaCard card_facts(int index) {
  use_card(index);
  cudaDeviceProp properties{};
  demand(cudaGetDeviceProperties(&properties, index), "a card does not say what it is");
  CudaCard facts = {.name = properties.name, .id = id_of(properties.uuid), .why_unusable = why_unusable(properties)};
  demand(cudaMemGetInfo(&facts.free_bytes, &facts.total_bytes), "a card does not say what memory is free");
  return facts;
}

void use_card(int index) {
  demand(cudaSetDevice(index), "a card cannot be used");
  // All kernels alike: a multiprocessor that shares its memory out anew has to be empty, which ends kernels that
  // overlap, and ours need the shared part.
  demand(cudaDeviceSetCacheConfig(cudaFuncCachePreferShared), "a card cannot be used");
}
int n_multiprocessors() { return attribute(cudaDevAttrMultiProcessorCount); }
size_t most_shared_bytes() { return static_cast<size_t>(attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin)); }

Stream make_stream() {
  cudaStream_t stream = nullptr;
  demand(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "no stream");
  constexpr int kHopper = 9;
  return {.handle = stream, .can_begin_early = attribute(cudaDevAttrComputeCapabilityMajor) >= kHopper};
}

void end_stream(Stream stream) noexcept { cudaStreamDestroy(handle_of(stream)); }

// A card that waits for another rank's may wait for ever, or give up: who waits for it looks around, also at the end.
void wait(Stream stream) {
  const auto start = std::chrono::steady_clock::now();
  for (cudaError_t state = cudaErrorNotReady; state == cudaErrorNotReady;) {
    state = cudaStreamQuery(handle_of(stream));
    if (state != cudaErrorNotReady) demand(state, "a step failed");
    if (stream.look != nullptr && *stream.look) (*stream.look)(std::chrono::steady_clock::now() - start);
  }
}

std::byte* allocate(size_t n_bytes) {
  void* memory = nullptr;
  if (cudaMalloc(&memory, n_bytes) == cudaSuccess) return static_cast<std::byte*>(memory);
  cudaGetLastError();  // it is told here, and not again by the next launch
  size_t n_free = 0, n_total = 0;
  cudaMemGetInfo(&n_free, &n_total);
  throw Error(str("CUDA: ", n_bytes >> 20, " MiB more do not fit on the card: ", n_free >> 20, " of its ",
                  n_total >> 20, " MiB are free. Use a smaller model, kv.memory or a higher tp"));
}

void release(std::byte* memory) noexcept { cudaFree(memory); }

void upload(void* to, const void* from, size_t n_bytes, Stream stream) {
  if (n_bytes == 0) return;
  demand(cudaMemcpyAsync(to, from, n_bytes, cudaMemcpyHostToDevice, handle_of(stream)), "copying to the card failed");
}

void download(std::span<const DeviceCopy> copies, Stream stream) {
  wait(stream);  // a copy to memory that is not pinned would wait itself, and not look around
  for (const DeviceCopy& copy : copies) {
    if (copy.n_bytes == 0) continue;
    demand(cudaMemcpyAsync(copy.to, copy.from, copy.n_bytes, cudaMemcpyDeviceToHost, handle_of(stream)),
           "copying from the card failed");
  }
  wait(stream);
}

void start_copy(void* to, const void* from, size_t n_bytes, Stream stream) {
  if (n_bytes == 0) return;
  demand(cudaMemcpyAsync(to, from, n_bytes, cudaMemcpyDefault, handle_of(stream)), "a copy beside a step failed");
}

void begin_recording(Stream stream) {
  demand(cudaStreamBeginCapture(handle_of(stream), cudaStreamCaptureModeThreadLocal), "a step cannot be recorded");
}

Graph end_recording(Stream stream) {
  cudaGraph_t recorded = nullptr;
  demand(cudaStreamEndCapture(handle_of(stream), &recorded), "recording a step failed");
  cudaGraphExec_t graph = nullptr;
  const cudaError_t result = cudaGraphInstantiate(&graph, recorded, 0);
  cudaGraphDestroy(recorded);
  demand(result, "a recorded step cannot be made ready");
  return {graph};
}

void drop_recording(Stream stream) noexcept {
  cudaGraph_t recorded = nullptr;
  cudaStreamEndCapture(handle_of(stream), &recorded);
  if (recorded != nullptr) cudaGraphDestroy(recorded);
  cudaGetLastError();  // who drops a recording knows why, and the next launch has nothing to do with it
}

void end_graph(Graph graph) noexcept {
  if (graph.handle != nullptr) cudaGraphExecDestroy(handle_of(graph));
}

void replay(Graph graph, Stream stream) {
  demand(cudaGraphLaunch(handle_of(graph), handle_of(stream)), "a recorded step cannot be launched");
}

Event make_event() {
  cudaEvent_t event = nullptr;
  demand(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "no event");
  return {event};
}

void end_event(Event event) noexcept { cudaEventDestroy(handle_of(event)); }

void record(Event event, Stream stream) {
  demand(cudaEventRecord(handle_of(event), handle_of(stream)), "an event cannot be recorded");
}

bool reached(Event event) {
  const cudaError_t result = cudaEventQuery(handle_of(event));
  if (result == cudaErrorNotReady) return false;
  demand(result, "a step failed");
  return true;
}

std::string pin(std::span<std::byte> memory) {
  const cudaError_t result = cudaHostRegister(memory.data(), memory.size(), cudaHostRegisterDefault);
  if (result == cudaSuccess) return {};
  cudaGetLastError();  // it is told here, and not again by the next launch
  return cudaGetErrorString(result);
}

void unpin(std::span<std::byte> memory) noexcept { cudaHostUnregister(memory.data()); }

}  // namespace ferry::cuda
