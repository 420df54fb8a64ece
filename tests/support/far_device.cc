#include "tests/support/far_device.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/base/check.h"
#include "core/base/error.h"

namespace ferry {

namespace {

std::span<std::byte> mapped(size_t n_bytes, int protection) {
  if (n_bytes == 0) return {};
  void* at = mmap(nullptr, n_bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(at != MAP_FAILED, "there is memory for a test");
  return {static_cast<std::byte*>(at), n_bytes};
}

}  // namespace

FarDevice::~FarDevice() {
  check(pinned_.empty(), "what was pinned is not any more");
  for (const Far& memory : far_) {
    for (const std::span<std::byte> part : {memory.far, memory.now, memory.ahead}) {
      if (!part.empty()) munmap(part.data(), part.size());
    }
  }
}

std::span<std::byte> FarDevice::allocate_far(size_t n_bytes) {
  far_.push_back({.far = mapped(n_bytes, PROT_NONE),
                  .now = mapped(n_bytes, PROT_READ | PROT_WRITE),
                  .ahead = mapped(n_bytes, PROT_READ | PROT_WRITE)});
  return far_.back().far;
}

const FarDevice::Far* FarDevice::find(const void* memory) const {
  for (const Far& far : far_) {
    if (memory >= far.far.data() && memory < far.far.data() + far.far.size()) return &far;
  }
  return nullptr;
}

std::span<std::byte> FarDevice::now(std::span<std::byte> far) const {
  return far.empty() ? far : std::span(here(far.data(), false), far.size());
}
std::span<std::byte> FarDevice::ahead(std::span<std::byte> far) const {
  return far.empty() ? far : std::span(here(far.data(), true), far.size());
}

std::byte* FarDevice::here(const void* memory, bool ahead) const {
  auto* const at = static_cast<std::byte*>(const_cast<void*>(memory));
  const Far* const far = find(memory);
  if (!far) return at;
  return (ahead ? far->ahead : far->now).data() + (at - far->far.data());
}

// ---- orders

Mark FarDevice::begin(Order order, std::function<void()> work) {
  orders_[order].push_back(std::move(work));
  return {.order = order, .number = ++n_begun_[order]};
}

void FarDevice::launch(std::function<void()> work) { begin(kLaunches, std::move(work)); }

bool FarDevice::reached(Mark mark) {
  if (static_cast<int>(random_() % static_cast<unsigned>(patience_)) == 0) do_something();
  return n_done_[mark.order] >= mark.number;
}

void FarDevice::do_something() {
  const auto order = static_cast<Order>(random_() % kOrders);
  if (orders_[order].empty() || (stopped_ && order != kLaunches)) return;
  const auto work = std::move(orders_[order].front());
  orders_[order].pop_front();
  work();
  ++n_done_[order];
}

void FarDevice::finish_launches() {
  ++n_waits_;
  while (!reached(mark())) {
    for (const auto& [owner, look] : looks_) look(Duration::zero());
  }
}

// ---- copies

void FarDevice::copy(const DeviceCopy& copy) const {
  std::memcpy(here(copy.to, false), here(copy.from, false), copy.n_bytes);
  if (find(copy.to)) std::memcpy(here(copy.to, true), here(copy.from, false), copy.n_bytes);
}

Mark FarDevice::start_uploads(std::span<const DeviceCopy> copies) {
  for (const DeviceCopy& one : copies) check_pinned(one.from, one.n_bytes);
  return begin(kUploads, [this, all = std::vector(copies.begin(), copies.end())] {
    for (const DeviceCopy& one : all) copy(one);
  });
}

Mark FarDevice::start_downloads(std::span<const DeviceCopy> copies) {
  for (const DeviceCopy& one : copies) check_pinned(one.to, one.n_bytes);
  return begin(kDownloads, [this, all = std::vector(copies.begin(), copies.end())] {
    for (const DeviceCopy& one : all) copy(one);
  });
}

HostView FarDevice::view(const std::byte* from, size_t n_bytes, std::byte* staging) {
  const DeviceCopy one = {.to = staging, .from = from, .n_bytes = n_bytes};
  return {.at = staging, .ready = start_downloads({&one, 1})};
}

void FarDevice::upload(void* to, const void* from, size_t n_bytes) {
  finish_launches();
  copy({.to = to, .from = from, .n_bytes = n_bytes});
}

void FarDevice::download(std::span<const DeviceCopy> copies) {
  finish_launches();
  for (const DeviceCopy& one : copies) copy(one);
}

void FarDevice::watch(const void* owner, Look look) {
  looks_.erase(owner);
  if (look) looks_[owner] = std::move(look);
}

// ---- memory

std::byte* FarDevice::allocate(size_t n_bytes) { return static_cast<std::byte*>(std::calloc(n_bytes, 1)); }
void FarDevice::release(std::byte* memory) noexcept { std::free(memory); }

bool FarDevice::pin(std::span<std::byte> memory) {
  if (!why_not_pinned_.empty()) {
    not_pinned_ = str(memory.size(), " bytes: ", why_not_pinned_);
    return false;
  }
  pinned_[memory.data()] = memory.size();
  return true;
}
void FarDevice::unpin(std::span<std::byte> memory) noexcept {
  check(pinned_.erase(memory.data()) == 1, "what is unpinned was pinned");
}

void FarDevice::check_pinned(const void* memory, size_t n_bytes) const {
  const auto* const at = static_cast<const std::byte*>(memory);
  auto next = pinned_.upper_bound(at);
  check(next != pinned_.begin(), "a copy's side of the host is pinned");
  --next;
  check(at + n_bytes <= next->first + next->second, "a copy's side of the host is pinned");
}

}  // namespace ferry
