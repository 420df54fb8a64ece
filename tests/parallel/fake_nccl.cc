// A libnccl for tests, without cards: what is added up stays as it was, and the environment says what goes wrong.
//
//   FAKE_NCCL=connects_late    connecting takes several looks
//   FAKE_NCCL=never_connects   connecting never ends
//   FAKE_NCCL=cannot_connect   connecting fails
//   FAKE_NCCL=sums_never_end   an all-reduce is accepted and never done
//   FAKE_NCCL=fails_later      an all-reduce is done, and afterwards a peer is lost
//   FAKE_NCCL=old              its version is 2.13
//
// FAKE_NCCL_LOG: a file that is appended to, a line for each call that ends something.

#include <nccl.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

struct ncclComm {
  ncclResult_t state = ncclSuccess;
  int looks_until_done = 0;  // -1: never
  int looks_until_lost = 0;  // 0: never
};

namespace {

std::string_view behaviour() {
  const char* name = std::getenv("FAKE_NCCL");
  return name == nullptr ? "" : name;
}

void log(const char* word) {
  const char* path = std::getenv("FAKE_NCCL_LOG");
  FILE* file = path == nullptr ? nullptr : std::fopen(path, "a");
  if (file == nullptr) return;
  std::fprintf(file, "%s\n", word);
  std::fclose(file);
}

}  // namespace

extern "C" {

ncclResult_t ncclGetVersion(int* version) {
  *version = behaviour() == "old" ? NCCL_VERSION(2, 13, 4) : NCCL_VERSION(2, 28, 9);
  return ncclSuccess;
}

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  std::memset(id->internal, 7, sizeof id->internal);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int n_ranks, ncclUniqueId id, int rank, ncclConfig_t* config) {
  if (id.internal[0] != 7 || rank >= n_ranks || config->blocking != 0) return ncclInvalidArgument;
  *comm = new ncclComm;
  if (behaviour() == "cannot_connect") (*comm)->state = ncclSystemError;
  if (behaviour() == "never_connects") (*comm)->looks_until_done = -1;
  if (behaviour() == "connects_late") (*comm)->looks_until_done = 5;
  return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* state) {
  *state = comm->looks_until_done == 0 ? comm->state : ncclInProgress;
  if (comm->looks_until_done > 0) --comm->looks_until_done;
  if (comm->looks_until_lost > 0 && --comm->looks_until_lost == 0) comm->state = ncclRemoteError;
  return ncclSuccess;
}

ncclResult_t ncclAllReduce(const void* from, void* to, size_t n, ncclDataType_t type, ncclRedOp_t operation,
                           ncclComm_t comm, cudaStream_t) {
  if (from != to || n == 0 || type != ncclFloat32 || operation != ncclSum) return ncclInvalidArgument;
  if (comm->looks_until_done != 0) return ncclInvalidUsage;  // it was not waited for
  if (behaviour() == "sums_never_end") comm->looks_until_done = -1;
  if (behaviour() == "fails_later") comm->looks_until_lost = 1;  // which belongs to this call
  return ncclInProgress;
}

const char* ncclGetErrorString(ncclResult_t result) {
  return result == ncclSystemError   ? "unhandled system error"
         : result == ncclRemoteError ? "remote process exited"
                                     : "?";
}
const char* ncclGetLastError(ncclComm_t) { return "socketStartConnect: Connect to 10.0.0.7 failed"; }

ncclResult_t ncclCommFinalize(ncclComm_t) {
  log("finalize");
  return ncclInProgress;
}
ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  log("destroy");
  delete comm;
  return ncclSuccess;
}
ncclResult_t ncclCommAbort(ncclComm_t comm) {
  log("abort");
  delete comm;
  return ncclSuccess;
}
}
