#include "parallel/cuda/nccl_reducer.h"

#include <dlfcn.h>
#include <nccl.h>

#include <chrono>
#include <cstring>
#include <exception>
#include <thread>

#include "core/base/check.h"
#include "core/base/error.h"

namespace ferry {

// A loaded library stays: it has threads of its own, which end when they want to.
class NcclLibrary {
 public:
  explicit NcclLibrary(const std::string& path) : handle_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) throw Error(dlerror());
    find(get_version, "ncclGetVersion");
    constexpr int kNonBlocking = NCCL_VERSION(2, 14, 0);  // the first that lets its caller have a deadline
    get_version(&version_);
    if (version_ < kNonBlocking) throw Error(str(path, " is NCCL ", version(), ", older than 2.14"));
    find(get_unique_id, "ncclGetUniqueId");
    find(init_rank, "ncclCommInitRankConfig");
    find(all_reduce, "ncclAllReduce");
    find(async_error, "ncclCommGetAsyncError");
    find(error_text, "ncclGetErrorString");
    find(last_error, "ncclGetLastError");
    find(finalize, "ncclCommFinalize");
    find(destroy, "ncclCommDestroy");
    find(abort, "ncclCommAbort");
  }

  std::string version() const { return str(version_ / 10000, ".", version_ / 100 % 100, ".", version_ % 100); }

  decltype(&ncclGetVersion) get_version = nullptr;
  decltype(&ncclGetUniqueId) get_unique_id = nullptr;
  decltype(&ncclCommInitRankConfig) init_rank = nullptr;
  decltype(&ncclAllReduce) all_reduce = nullptr;
  decltype(&ncclCommGetAsyncError) async_error = nullptr;
  decltype(&ncclGetErrorString) error_text = nullptr;
  decltype(&ncclGetLastError) last_error = nullptr;
  decltype(&ncclCommFinalize) finalize = nullptr;
  decltype(&ncclCommDestroy) destroy = nullptr;
  decltype(&ncclCommAbort) abort = nullptr;

 private:
  template <class Function>
  void find(Function& function, const char* name) {
    function = reinterpret_cast<Function>(dlsym(handle_, name));
    if (function == nullptr) throw Error(str("NCCL: it has no ", name));
  }

  void* const handle_;
  int version_ = 0;
};

void CloseNccl::operator()(NcclLibrary* library) const noexcept { delete library; }
OwnNccl load_nccl(const std::string& path) { return OwnNccl(new NcclLibrary(path)); }
std::string nccl_version(const NcclLibrary& library) { return library.version(); }

namespace {

class NcclReducer final : public Reducer {
 public:
  NcclReducer(OwnNccl library, Communicator& host, const NcclSettings& settings)
      : nccl_(std::move(library)), settings_(settings), rank_(host.rank()), size_(host.size()) {
    const ncclUniqueId id = shared_id(host);
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    settle(nccl_->init_rank(&comm_, size_, id, rank_, &config), "connecting the ranks");
  }

  ~NcclReducer() override {
    if (comm_ != nullptr && std::uncaught_exceptions() == 0) end();
    give_up();
  }

  // It may want the other ranks, the first time: until that is over nothing else may be asked of it.
  void all_reduce_sum(ReduceMethod, std::span<float> values) override {
    if (comm_ == nullptr) throw Error(failed_);
    settle(nccl_->all_reduce(values.data(), values.data(), values.size(), ncclFloat32, ncclSum, comm_,
                             static_cast<cudaStream_t>(settings_.stream)),
           "an all-reduce");
  }

  std::vector<ReduceMethod> methods() const override { return {ReduceMethod::nccl}; }
  bool in_stream() const override { return true; }

  void look() override {
    if (comm_ == nullptr) throw Error(failed_);
    const ncclResult_t state = state_now();
    if (state != ncclSuccess && state != ncclInProgress) fail("between two calls", state);
  }

  void give_up() noexcept override {
    if (comm_ != nullptr) nccl_->abort(comm_);
    comm_ = nullptr;
  }

 private:
  void end() noexcept {
    try {
      settle(nccl_->finalize(comm_), "the end");
      nccl_->destroy(comm_);
      comm_ = nullptr;
    } catch (const Error&) {
      give_up();  // what is left of it has no more to do
    }
  }

  ncclUniqueId shared_id(Communicator& host) {
    ncclUniqueId id{};
    std::string bytes;
    if (rank_ == 0) {
      const ncclResult_t result = nccl_->get_unique_id(&id);
      if (result != ncclSuccess) fail("naming the group", result);
      bytes.assign(id.internal, sizeof id.internal);
    }
    host.broadcast(bytes, settings_.look);
    check(bytes.size() == sizeof id.internal, "rank 0 broadcasts NCCL's id");
    std::memcpy(id.internal, bytes.data(), bytes.size());
    return id;
  }

  // A call may return before it is done, so that it can be given up: this waits for it, to a deadline.
  void settle(ncclResult_t result, const char* what) {
    const auto deadline = std::chrono::steady_clock::now() + settings_.patience;
    for (int n_looks = 0; result == ncclInProgress || (result == ncclSuccess && n_looks == 0); ++n_looks) {
      result = state_now();
      if (result != ncclInProgress) continue;
      if (std::chrono::steady_clock::now() > deadline) fail(what, ncclInProgress);
      look_around();
      constexpr int kPolls = 1000;  // about a millisecond
      if (n_looks > kPolls) std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    if (result != ncclSuccess) fail(what, result);
  }

  void look_around() {
    try {
      settings_.look();
    } catch (const Error& error) {
      failed_ = error.what();
      give_up();
      throw;
    }
  }

  ncclResult_t state_now() const {
    ncclResult_t state = ncclSuccess;
    const ncclResult_t asked = nccl_->async_error(comm_, &state);
    return asked == ncclSuccess ? state : asked;
  }

  [[noreturn]] void fail(const char* what, ncclResult_t result) {
    const double seconds = std::chrono::duration<double>(settings_.patience).count();
    const char* detail = nccl_->last_error(comm_);
    failed_ = str("NCCL ", nccl_->version(), ", rank ", rank_, " of ", size_, ", ", what, ": ",
                  result == ncclInProgress ? str("not done after ", seconds, " s") : nccl_->error_text(result),
                  detail != nullptr && *detail != '\0' ? str(" (", detail, ")") : "",
                  ". NCCL_DEBUG=INFO in the environment says more, NCCL_SOCKET_IFNAME names the network to use");
    give_up();
    throw Error(failed_);
  }

  const OwnNccl nccl_;
  const NcclSettings settings_;
  const int rank_, size_;
  ncclComm_t comm_ = nullptr;
  std::string failed_;
};

}  // namespace

std::unique_ptr<Reducer> make_nccl_reducer(OwnNccl library, Communicator& host, const NcclSettings& settings) {
  return std::make_unique<NcclReducer>(std::move(library), host, settings);
}

}  // namespace ferry
