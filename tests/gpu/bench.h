#pragma once
// Times what the CUDA backend launches on a card, beside limits measured in the same run: a copy within the card's
// memory and a product of cuBLASLt. One file a subject (bench_*.cc), a line in bench.cc.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/seam/ops.h"
#include "kernels/cuda/cuda_ops.h"

namespace ferry::gpu {

struct Work {        // of one launch
  double bytes = 0;  // that it has to move at least; 0: not what bounds it
  double flops = 0;  // that it has to do; 0: not what bounds it
  double limit = 0;  // TFLOP/s for flops, where another than none is known; bytes are held against the copy
};

class Bench {
 public:
  explicit Bench(std::string only);  // cases whose "subject name" has that in them
  ~Bench();

  Device& device();
  double read_gb_s() const { return read_gb_s_; }        // bytes read, a second; nothing is written
  double copy_gb_s() const { return copy_gb_s_; }        // bytes read and written, a second
  double gemm_tflop_s(int n_rows, int n_out, int n_in);  // cuBLASLt, bf16 in, f32 sums, random values
  Ops& ops() { return *ops_; }

  // Median milliseconds of one of launch(0), launch(1), …, which are captured into a graph one after the other and
  // replayed: let `i` choose among copies of the operands that together exceed the L2 cache.
  double ms_of(const std::function<void(int i)>& launch);
  // As many copies of something of `bytes` as the L2 cache does not hold.
  int copies_of(double bytes) const;

  bool wants(const std::string& subject, const std::string& name) const;
  // Prints a line, and keeps it for the table at the end.
  void report(const std::string& subject, const std::string& name, double ms, const Work& work);
  void print_worst() const;  // of each subject: the least share of its limit

  // `n` random values of the card's memory, around zero with a deviation of one.
  DeviceArray<float> random_floats(size_t n, uint64_t seed);

 private:
  struct Share {
    std::string subject, name;
    double share = 0;
  };

  const std::string only_;
  std::unique_ptr<Ops> ops_;
  double copy_gb_s_ = 0, read_gb_s_ = 0;
  size_t l2_bytes_ = 0;
  std::vector<Share> shares_;
};

void bench_limits(Bench& bench);
void bench_matmul(Bench& bench);
void bench_rows(Bench& bench);
void bench_attention(Bench& bench);
void bench_sampling(Bench& bench);
void bench_ranges(Bench& bench);

}  // namespace ferry::gpu
