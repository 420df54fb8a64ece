#include "core/engine/device_batch.h"

#include <bit>

namespace ferry {

void DeviceBatch::assign(const Batch& batch) {
  packed_.clear();
  size_t ends[6] = {}, n = 0;
  for (const auto* part :
       {&batch.tokens, &batch.positions, &batch.row_begin, &batch.page_begin, &batch.pages, &batch.logit_rows}) {
    packed_.insert(packed_.end(), part->begin(), part->end());
    ends[n++] = packed_.size();
  }
  for (const float scale : batch.scales) packed_.push_back(std::bit_cast<int>(scale));
  if (packed_.size() > memory_.size()) memory_ = DeviceArray<int>(device_, 2 * packed_.size());
  memory_.assign(packed_);
  view_ = batch.view();
  tokens_ = memory_.data();
  view_.positions = memory_.data() + ends[0];
  view_.row_begin = memory_.data() + ends[1];
  view_.page_begin = memory_.data() + ends[2];
  view_.pages = memory_.data() + ends[3];
  logit_rows_ = memory_.data() + ends[4];
  scales_ = reinterpret_cast<const float*>(memory_.data() + ends[5]);
}

}  // namespace ferry
