#include "core/engine/device_batch.h"

#include <algorithm>
#include <bit>

#include "core/base/check.h"

namespace ferry {

namespace {

// Where the arrays of a batch of so many rows begin. Pages come last: they may be as many as there are.
struct Places {
  explicit Places(size_t n_rows)
      : positions(n_rows),
        row_begin(positions + n_rows),
        page_begin(row_begin + n_rows + 1),
        logit_rows(page_begin + n_rows + 1),
        scales(logit_rows + n_rows),
        pages(scales + n_rows) {}
  const size_t tokens = 0, positions, row_begin, page_begin, logit_rows, scales, pages;
};

size_t most_values(const StepForm& most) { return Places(most.n_rows).pages + most.n_pages; }

void put(const std::vector<int>& values, int* at) { std::ranges::copy(values, at); }

}  // namespace

DeviceBatch::DeviceBatch(Device& device, const StepForm& most)
    : device_(device), packed_(most_values(most)), memory_(device, most_values(most)) {}

void DeviceBatch::assign(const Batch& batch, const StepForm& room) {
  const Places at(room.n_rows);
  const size_t n_values = at.pages + batch.pages.size();
  check(batch.n_rows() <= room.n_rows && static_cast<int>(batch.pages.size()) <= room.n_pages &&
            batch.n_sequences() <= batch.n_rows() && n_values <= packed_.size(),
        "a batch fits the room it is given");
  int* to = packed_.data();
  put(batch.tokens, to + at.tokens);
  put(batch.positions, to + at.positions);
  put(batch.row_begin, to + at.row_begin);
  put(batch.page_begin, to + at.page_begin);
  put(batch.logit_rows, to + at.logit_rows);
  put(batch.pages, to + at.pages);
  const auto scales = std::span(packed_).subspan(at.scales, static_cast<size_t>(room.n_rows));
  std::ranges::fill(scales, std::bit_cast<int>(1.0f));
  std::ranges::transform(batch.scales, scales.begin(), [](float scale) { return std::bit_cast<int>(scale); });
  view_ = batch.view();
  n_logit_rows_ = static_cast<int>(batch.logit_rows.size());
  n_best_ = batch.n_best;
  for (; view_.n_rows < room.n_rows; ++view_.n_rows) {
    to[at.tokens + view_.n_rows] = 0;
    to[at.positions + view_.n_rows] = -1;
    to[at.row_begin + ++view_.n_sequences] = view_.n_rows + 1;
    to[at.page_begin + view_.n_sequences] = view_.n_pages;
    to[at.logit_rows + n_logit_rows_++] = view_.n_rows;
  }
  view_.n_pages = room.n_pages;

  device_.upload(memory_.data(), to, n_values * sizeof(int));
  view_.positions = memory_.data() + at.positions;
  view_.row_begin = memory_.data() + at.row_begin;
  view_.page_begin = memory_.data() + at.page_begin;
  view_.pages = memory_.data() + at.pages;
  logit_rows_ = memory_.data() + at.logit_rows;
  scales_ = reinterpret_cast<const float*>(memory_.data() + at.scales);
}

}  // namespace ferry
