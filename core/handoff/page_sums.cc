#include "core/handoff/page_sums.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"

namespace ferry {

namespace {

constexpr size_t kStagingBytes = 4 << 20;  // copied while the pages before are summed

size_t slots_for(const KvLayout& layout) {
  return std::max<size_t>(2, kStagingBytes / std::max<size_t>(1, layout.layer_bytes()));
}

}  // namespace

PageSums::PageSums(Device& device, const KvLayout& layout, std::span<const std::byte> memory)
    : device_(device),
      layout_(layout),
      memory_(memory),
      n_slots_(slots_for(layout)),
      staging_(std::make_unique_for_overwrite<std::byte[]>(n_slots_ * layout.layer_bytes())),
      pinned_(device.pin(staging())) {}

PageSums::~PageSums() {
  try {
    while (!views_.empty() && !device_.reached(views_.back().ready)) {
    }
  } catch (const Error&) {  // the device has failed, and copies nothing any more
  }
  if (pinned_) device_.unpin(staging());
}

void PageSums::start(wire::Verify verify, std::span<const KvPart> parts, std::span<const int> pages, Done done) {
  Sum& sum = sums_.emplace_back();
  sum.done = std::move(done);
  for (const KvPart& part : parts) {
    for (const SummedPage& page : summed_pages(verify, part, layout_.page_tokens()))
      sum.pages.push_back(
          {.offset = layout_.offset(pages[page.index], part.layer, part.heads.begin), .part = page.part});
  }
  poll();
}

void PageSums::poll() {
  do view_pages();
  while (sum_next_page());
}

// As many as there is room for.
void PageSums::view_pages() {
  for (Sum& sum : sums_) {
    for (; sum.n_viewed < sum.pages.size(); ++sum.n_viewed) {
      if (views_.size() == n_slots_) return;
      const Page& page = sum.pages[sum.n_viewed];
      const size_t n_bytes = page.part.heads.size() * layout_.head_bytes();
      std::byte* const slot = staging_.get() + n_views_++ % n_slots_ * layout_.layer_bytes();
      views_.push_back(device_.view(memory_.data() + page.offset, n_bytes, slot));
    }
  }
}

// False when there is none to do now.
bool PageSums::sum_next_page() {
  if (sums_.empty()) return false;
  Sum& sum = sums_.front();
  if (sum.n_summed < sum.pages.size()) {
    if (!device_.reached(views_.front().ready)) return false;
    sum.sum += sum_of_page(layout_, views_.front().at, sum.pages[sum.n_summed++].part);
    views_.pop_front();
  }
  if (sum.n_summed < sum.pages.size()) return true;
  const Sum whole = std::move(sum);
  sums_.pop_front();
  whole.done(whole.sum);
  return true;
}

}  // namespace ferry
