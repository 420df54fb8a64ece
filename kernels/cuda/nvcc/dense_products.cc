#include "kernels/cuda/dense_products.h"

#include <cublasLt.h>
#include <dlfcn.h>

#include <array>
#include <map>

#include "core/base/error.h"

namespace ferry::cuda {
namespace {

constexpr size_t kWorkspaceBytes = size_t{32} << 20;  // what NVIDIA advises for Hopper

void demand(cublasStatus_t result, const char* what) {
  if (result != CUBLAS_STATUS_SUCCESS) throw Error(str("cuBLASLt: ", what, ": status ", static_cast<int>(result)));
}

// Versions 12 and 13 have the same functions.
void* loaded_library() {
  for (const char* name : {"libcublasLt.so.13", "libcublasLt.so.12", "/usr/local/cuda/lib64/libcublasLt.so"}) {
    if (void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return library;
  }
  return nullptr;
}

struct Functions {
  decltype(&cublasLtCreate) create = nullptr;
  decltype(&cublasLtDestroy) destroy = nullptr;
  decltype(&cublasLtMatmul) matmul = nullptr;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic = nullptr;
  decltype(&cublasLtMatmulDescCreate) create_product = nullptr;
  decltype(&cublasLtMatmulDescDestroy) destroy_product = nullptr;
  decltype(&cublasLtMatmulDescSetAttribute) set_of_product = nullptr;
  decltype(&cublasLtMatrixLayoutCreate) create_layout = nullptr;
  decltype(&cublasLtMatrixLayoutDestroy) destroy_layout = nullptr;
  decltype(&cublasLtMatmulPreferenceCreate) create_preference = nullptr;
  decltype(&cublasLtMatmulPreferenceDestroy) destroy_preference = nullptr;
  decltype(&cublasLtMatmulPreferenceSetAttribute) set_of_preference = nullptr;

  bool are_all_in(void* library) {
    const auto find = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
      return function != nullptr;
    };
    return find(create, "cublasLtCreate") && find(destroy, "cublasLtDestroy") && find(matmul, "cublasLtMatmul") &&
           find(heuristic, "cublasLtMatmulAlgoGetHeuristic") && find(create_product, "cublasLtMatmulDescCreate") &&
           find(destroy_product, "cublasLtMatmulDescDestroy") &&
           find(set_of_product, "cublasLtMatmulDescSetAttribute") &&
           find(create_layout, "cublasLtMatrixLayoutCreate") && find(destroy_layout, "cublasLtMatrixLayoutDestroy") &&
           find(create_preference, "cublasLtMatmulPreferenceCreate") &&
           find(destroy_preference, "cublasLtMatmulPreferenceDestroy") &&
           find(set_of_preference, "cublasLtMatmulPreferenceSetAttribute");
  }
};

}  // namespace

// In its column-major words: yᵀ [n_out, n_rows] = (wᵀ)ᵀ · xᵀ.
class DenseProducts::Library {
 public:
  Library(const Functions& lt, Device& device, Stream stream)
      : lt_(lt), stream_(static_cast<cudaStream_t>(stream.handle)), workspace_(device, kWorkspaceBytes) {
    demand(lt_.create(&handle_), "it cannot be used");
    demand(lt_.create_product(&product_, CUBLAS_COMPUTE_32F, CUDA_R_32F), "no product");
    const cublasOperation_t transposed = CUBLAS_OP_T;
    demand(lt_.set_of_product(product_, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed), "no product");
    demand(lt_.create_preference(&preference_), "no preference");
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, uint64_t{kWorkspaceBytes});
    constexpr uint32_t kAlignment = 16;  // of results: parts of a matrix begin where they happen to
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, kAlignment);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, kAlignment);
  }
  ~Library() {
    forget_plans();
    lt_.destroy_preference(preference_);
    lt_.destroy_product(product_);
    lt_.destroy(handle_);
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  bool multiply(const DenseProduct& p) {
    const Plan& plan = plan_of(p);
    if (!plan.is_there) return false;
    const float one = 1, zero = 0;
    demand(lt_.matmul(handle_, product_, &one, p.w, plan.w, p.x, plan.x, &zero, p.y, plan.y, p.y, plan.y,
                      &plan.algorithm, workspace_.data(), kWorkspaceBytes, stream_),
           "a product cannot be launched");
    return true;
  }

 private:
  struct Plan {
    bool is_there = false;
    cublasLtMatrixLayout_t w = nullptr, x = nullptr, y = nullptr;
    cublasLtMatmulAlgo_t algorithm{};
  };
  using Sizes = std::array<int, 5>;

  template <class T>
  void prefer(cublasLtMatmulPreferenceAttributes_t what, T value) {
    demand(lt_.set_of_preference(preference_, what, &value, sizeof value), "no preference");
  }

  // Asking for an algorithm takes longer than launching it.
  const Plan& plan_of(const DenseProduct& p) {
    constexpr size_t kMost = 1024;
    if (plans_.size() >= kMost) forget_plans();
    const auto [at, is_new] = plans_.try_emplace({p.n_out, p.n_rows, p.n_columns, p.x_stride, p.y_stride});
    if (is_new) make(at->second, p);
    return at->second;
  }

  void make(Plan& plan, const DenseProduct& p) {
    const auto layout = [&](cublasLtMatrixLayout_t& to, cudaDataType_t type, int rows, int columns, int stride) {
      demand(lt_.create_layout(&to, type, static_cast<uint64_t>(rows), static_cast<uint64_t>(columns), stride),
             "no layout");
    };
    layout(plan.w, CUDA_R_16BF, p.n_columns, p.n_out, p.n_columns);
    layout(plan.x, CUDA_R_16BF, p.n_columns, p.n_rows, p.x_stride);
    layout(plan.y, CUDA_R_32F, p.n_out, p.n_rows, p.y_stride);
    cublasLtMatmulHeuristicResult_t found{};
    int n_found = 0;
    plan.is_there = lt_.heuristic(handle_, product_, plan.w, plan.x, plan.y, plan.y, preference_, 1, &found,
                                  &n_found) == CUBLAS_STATUS_SUCCESS &&
                    n_found > 0;
    plan.algorithm = found.algo;
  }

  void forget_plans() {
    for (const auto& [sizes, plan] : plans_) {
      for (cublasLtMatrixLayout_t layout : {plan.w, plan.x, plan.y}) lt_.destroy_layout(layout);
    }
    plans_.clear();
  }

  const Functions lt_;
  const cudaStream_t stream_;
  const DeviceArray<std::byte> workspace_;
  cublasLtHandle_t handle_ = nullptr;
  cublasLtMatmulDesc_t product_ = nullptr;
  cublasLtMatmulPreference_t preference_ = nullptr;
  std::map<Sizes, Plan> plans_;
};

DenseProducts::DenseProducts(Device& device, Stream stream) {
  void* library = loaded_library();
  Functions functions;
  if (library != nullptr && functions.are_all_in(library))
    library_ = std::make_unique<Library>(functions, device, stream);
}

DenseProducts::~DenseProducts() = default;

bool DenseProducts::multiply(const DenseProduct& product) { return library_ != nullptr && library_->multiply(product); }

}  // namespace ferry::cuda
