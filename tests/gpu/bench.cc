// gpu_bench [NAME]: all cases, or those that have NAME in theirs. One line a case, JSON.

#include "tests/gpu/bench.h"

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "core/base/error.h"
#include "kernels/cuda/card_limits.h"
#include "tests/gpu/bandwidth.h"

namespace ferry::gpu {

namespace {

void demand(cudaError_t result, const char* what) {
  if (result != cudaSuccess) throw Error(str(what, ": ", cudaGetErrorString(result)));
}
void demand(cublasStatus_t result, const char* what) {
  if (result != CUBLAS_STATUS_SUCCESS) throw Error(str(what, ": ", cublasLtGetStatusString(result)));
}

cudaStream_t stream_of(Device& device) { return static_cast<cudaStream_t>(device.stream()); }

constexpr int kLaunches = 20;  // of a graph
constexpr int kReplays = 9;

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// Milliseconds between two events around one replay of a graph of kLaunches.
class Replay {
 public:
  Replay(cudaStream_t stream, const std::function<void(int)>& launch) : stream_(stream) {
    cudaGraph_t graph = nullptr;
    demand(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "no capture");
    for (int i = 0; i < kLaunches; ++i) launch(i);
    demand(cudaStreamEndCapture(stream, &graph), "a capture failed");
    demand(cudaGraphInstantiate(&graph_, graph, 0), "no graph");
    cudaGraphDestroy(graph);
    cudaEventCreate(&before_);
    cudaEventCreate(&after_);
  }
  ~Replay() {
    cudaGraphExecDestroy(graph_);
    cudaEventDestroy(before_);
    cudaEventDestroy(after_);
  }
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  double ms() {
    cudaEventRecord(before_, stream_);
    demand(cudaGraphLaunch(graph_, stream_), "a graph cannot be launched");
    cudaEventRecord(after_, stream_);
    demand(cudaStreamSynchronize(stream_), "a kernel failed");
    float ms = 0;
    cudaEventElapsedTime(&ms, before_, after_);
    return static_cast<double>(ms);
  }

 private:
  const cudaStream_t stream_;
  cudaGraphExec_t graph_ = nullptr;
  cudaEvent_t before_ = nullptr, after_ = nullptr;
};

// y = w · x in column-major words: w [n_out, n_in] and x [n_rows, n_in] are rows of ours.
class Product {
 public:
  Product(Device& device, int n_rows, int n_out, int n_in) : device_(device) {
    demand(cublasLtCreate(&handle_), "no cuBLASLt");
    demand(cublasLtMatmulDescCreate(&product_, CUBLAS_COMPUTE_32F, CUDA_R_32F), "no product");
    const cublasOperation_t transposed = CUBLAS_OP_T;
    cublasLtMatmulDescSetAttribute(product_, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed);
    const auto rows = static_cast<uint64_t>(n_rows), out = static_cast<uint64_t>(n_out),
               in = static_cast<uint64_t>(n_in);
    cublasLtMatrixLayoutCreate(&w_, CUDA_R_16BF, in, out, n_in);
    cublasLtMatrixLayoutCreate(&x_, CUDA_R_16BF, in, rows, n_in);
    cublasLtMatrixLayoutCreate(&y_, CUDA_R_32F, out, rows, n_out);
    workspace_ = DeviceArray<std::byte>(device, kWorkspace);
    cublasLtMatmulPreference_t preference = nullptr;
    cublasLtMatmulPreferenceCreate(&preference);
    const size_t bytes = kWorkspace;
    cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes);
    int n_found = 0;
    demand(cublasLtMatmulAlgoGetHeuristic(handle_, product_, w_, x_, y_, y_, preference, 1, &found_, &n_found),
           "no algorithm");
    cublasLtMatmulPreferenceDestroy(preference);
  }
  ~Product() {
    cublasLtMatrixLayoutDestroy(w_);
    cublasLtMatrixLayoutDestroy(x_);
    cublasLtMatrixLayoutDestroy(y_);
    cublasLtMatmulDescDestroy(product_);
    cublasLtDestroy(handle_);
  }
  Product(const Product&) = delete;
  Product& operator=(const Product&) = delete;

  void launch(const uint16_t* w, const uint16_t* x, float* y) {
    const float one = 1, zero = 0;
    demand(cublasLtMatmul(handle_, product_, &one, w, w_, x, x_, &zero, y, y_, y, y_, &found_.algo, workspace_.data(),
                          kWorkspace, stream_of(device_)),
           "a product cannot be launched");
  }

 private:
  static constexpr size_t kWorkspace = size_t{64} << 20;
  Device& device_;
  cublasLtHandle_t handle_ = nullptr;
  cublasLtMatmulDesc_t product_ = nullptr;
  cublasLtMatrixLayout_t w_ = nullptr, x_ = nullptr, y_ = nullptr;
  DeviceArray<std::byte> workspace_;
  cublasLtMatmulHeuristicResult_t found_{};
};

std::vector<uint16_t> random_bf16(size_t n, uint64_t seed) {
  std::mt19937 random(static_cast<uint32_t>(seed));
  std::vector<uint16_t> values(n);
  // Between −2 and 2: sign and fraction are random, the exponents 126 and 127.
  for (uint16_t& value : values) value = static_cast<uint16_t>((random() & 0x80ff) | 0x3f00);
  return values;
}

}  // namespace

Bench::Bench(std::string only) : only_(std::move(only)), ops_(make_cuda_ops({})) {
  int l2 = 0;
  demand(cudaDeviceGetAttribute(&l2, cudaDevAttrL2CacheSize, 0), "a card does not say how large its cache is");
  l2_bytes_ = static_cast<size_t>(l2);
  constexpr size_t kBytes = size_t{1} << 30;
  const DeviceArray<std::byte> from(device(), kBytes), to(device(), kBytes);
  const cudaStream_t stream = stream_of(device());
  const double by_library = ms_of([&](int) {
    demand(cudaMemcpyAsync(to.data(), from.data(), kBytes, cudaMemcpyDeviceToDevice, stream), "no copy");
  });
  const double by_kernel = ms_of([&](int) { launch_copy(from.data(), to.data(), kBytes, stream); });
  const auto gb_s = [](double n_bytes, double ms) { return n_bytes / ms / 1e6; };
  copy_gb_s_ = gb_s(2.0 * kBytes, std::min(by_library, by_kernel));
  read_gb_s_ = measure_card_limits(device()).read_gb_s;
}

Bench::~Bench() = default;

Device& Bench::device() { return ops_->device(); }

double Bench::gemm_tflop_s(int n_rows, int n_out, int n_in) {
  const auto size = [](int a, int b) { return static_cast<size_t>(a) * static_cast<size_t>(b); };
  Product product(device(), n_rows, n_out, n_in);
  const DeviceArray<uint16_t> w(device(), random_bf16(size(n_out, n_in), 1)),
      x(device(), random_bf16(size(n_rows, n_in), 2));
  const DeviceArray<float> y(device(), size(n_rows, n_out));
  const double ms = ms_of([&](int) { product.launch(w.data(), x.data(), y.data()); });
  return 2.0 * n_rows * n_out * n_in / ms / 1e9;
}

double Bench::ms_of(const std::function<void(int)>& launch) {
  launch(0);  // what is loaded at the first launch cannot be captured
  demand(cudaStreamSynchronize(stream_of(device())), "a kernel failed");
  Replay replay(stream_of(device()), launch);
  replay.ms();
  std::vector<double> all;
  for (int i = 0; i < kReplays; ++i) all.push_back(replay.ms() / kLaunches);
  return median(std::move(all));
}

int Bench::copies_of(double bytes) const {
  return std::clamp(static_cast<int>(3 * static_cast<double>(l2_bytes_) / bytes) + 1, 2, kLaunches);
}

bool Bench::wants(const std::string& subject, const std::string& name) const {
  return (subject + " " + name).find(only_) != std::string::npos;
}

void Bench::report(const std::string& subject, const std::string& name, double ms, const Work& work) {
  nlohmann::ordered_json line = {{"what", subject}, {"case", name}, {"us", std::round(ms * 1e5) / 100}};
  double share = 0;
  if (work.bytes > 0) {
    const double gb_s = work.bytes / ms / 1e6;
    line["gb_s"] = std::round(gb_s);
    share = gb_s / copy_gb_s_;
  }
  if (work.flops > 0) {
    const double tflop_s = work.flops / ms / 1e9;
    line["tflop_s"] = std::round(tflop_s * 10) / 10;
    if (work.limit > 0) share = std::max(share, tflop_s / work.limit);
  }
  if (share > 0) {
    line["share"] = std::round(share * 1000) / 1000;
    shares_.push_back({subject, name, share});
  }
  std::cout << line.dump() << std::endl;
}

void Bench::print_worst() const {
  std::map<std::string, Share> worst;
  for (const Share& share : shares_) {
    const auto [at, is_new] = worst.emplace(share.subject, share);
    if (!is_new && share.share < at->second.share) at->second = share;
  }
  for (const auto& [subject, share] : worst) {
    std::cout << nlohmann::ordered_json({{"worst_of", subject}, {"case", share.name}, {"share", share.share}}).dump()
              << "\n";
  }
}

DeviceArray<float> Bench::random_floats(size_t n, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(std::min<size_t>(n, 1 << 16));
  for (float& value : values) value = normal(random);
  std::vector<float> all(n);
  for (size_t i = 0; i < n; ++i) all[i] = values[i % values.size()];
  return {device(), all};
}

void bench_limits(Bench& bench) {
  std::cout << nlohmann::ordered_json({{"what", "limits"},
                                       {"card", bench.ops().name()},
                                       {"copy_gb_s", std::round(bench.copy_gb_s())},
                                       {"read_gb_s", std::round(bench.read_gb_s())},
                                       {"gemm_bf16_tflop_s", std::round(bench.gemm_tflop_s(8192, 8192, 8192))}})
                   .dump()
            << std::endl;
}

}  // namespace ferry::gpu

int main(int argc, char** argv) {
  using namespace ferry::gpu;
  try {
    if (const std::string why = ferry::why_no_cuda(); !why.empty()) {
      std::cout << "skipped: " << why << "\n";
      return 77;
    }
    Bench bench(argc > 1 ? argv[1] : "");
    bench_limits(bench);
    bench_matmul(bench);
    bench_rows(bench);
    bench_attention(bench);
    bench_sampling(bench);
    bench_ranges(bench);
    bench.print_worst();
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "gpu_bench: " << error.what() << "\n";
    return 1;
  }
}
