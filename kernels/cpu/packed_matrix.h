#pragma once
// A matrix packed for the CPU's kernels (packed_format.h).

#include <cstddef>
#include <cstdlib>
#include <memory>

#include "core/seam/ops.h"
#include "kernels/cpu/kernel_set.h"

namespace ferry {

class PackedMatrix final : public Weight {
 public:
  // Memory for it. pack() fills it, panel by panel, so that threads can share that out.
  PackedMatrix(const MatrixSlice& slice, int lanes);
  void pack(const MatrixSlice& slice, PanelRange panels);

  int n_rows() const override { return view_.n_rows; }
  int n_cols() const override { return view_.col_end - view_.col_begin; }
  size_t bytes() const override { return static_cast<size_t>(n_panels()) * view_.panel_bytes; }

  int format() const { return format_; }  // its place in kPackedFormats
  int n_panels() const { return (view_.n_rows + lanes_ - 1) / lanes_; }
  const PackedView& view() const { return view_; }

 private:
  struct Free {
    void operator()(std::byte* bytes) const { std::free(bytes); }
  };

  int format_ = 0;
  int lanes_ = 0;
  PackedView view_;
  std::unique_ptr<std::byte, Free> bytes_;
};

}  // namespace ferry
