#pragma once
// Operations that go once over rows of values: memory-bound, so simply vectors at a time.

#include "kernels/cpu/kernel_set.h"
#include "kernels/cpu/lanes_math.h"

namespace ferry {
namespace {

template <class L>
struct RowKernels {
  using Floats = typename L::Floats;
  static constexpr int kLanes = L::kCount;

  static void rms_norm(const RmsNorm& p, int row_begin, int row_end) {
    const int whole = p.width / kLanes * kLanes, rest = p.width - whole;
    for (int r = row_begin; r < row_end; ++r) {
      const float* x = p.x + static_cast<int64_t>(r) * p.width;
      float* out = p.out + static_cast<int64_t>(r) * p.width;
      const Floats scale =
          L::splat(1 / square_root(sum_of_squares(x, p.width) / static_cast<float>(p.width) + p.epsilon));
      for (int i = 0; i < whole; i += kLanes) {
        L::store(out + i, L::mul(L::mul(L::load(x + i), scale), L::load(p.weight + i)));
      }
      if (rest > 0) {
        const Floats scaled = L::mul(L::load_first(x + whole, rest), scale);
        L::store_first(out + whole, L::mul(scaled, L::load_first(p.weight + whole, rest)), rest);
      }
    }
  }

  static void gated_activation(const GatedActivation& p, int64_t begin, int64_t end) {
    for_each_vector(begin, end, [&](int64_t i, auto load, auto store) {
      store(p.out + i, L::mul(activated(load(p.gate + i), p.activation), load(p.up + i)));
    });
  }

  static void add(const Add& p, int64_t begin, int64_t end) {
    for_each_vector(begin, end,
                    [&](int64_t i, auto load, auto store) { store(p.x + i, L::add(load(p.x + i), load(p.y + i))); });
  }

  static double sum_of_weights(const float* logits, int n_vocab, float largest, float scale) {
    constexpr int kBlock = 64 * kLanes;  // sums in f32 stay short
    const auto weights = [&](Floats x) {
      return exponential<L>(L::mul(L::sub(x, L::splat(largest)), L::splat(scale)));
    };
    double total = 0;
    for (int begin = 0; begin < n_vocab; begin += kBlock) {
      const int end = n_vocab - begin < kBlock ? n_vocab : begin + kBlock;
      Floats sum = L::zero();
      int i = begin;
      for (; i + kLanes <= end; i += kLanes) sum = L::add(sum, weights(L::load(logits + i)));
      total += L::sum(sum);
      for (; i < end; ++i) {  // no vector of what is left: its zeros would weigh
        float one[kLanes] = {};
        L::store(one, weights(L::splat(logits[i])));
        total += one[0];
      }
    }
    return total;
  }

  static void write_kv(const WriteKv& p, int sequence, int row_begin, int row_end) {
    const KvLayer& kv = p.kv;
    for (int r = row_begin; r < row_end; ++r) {
      const int token = p.batch.positions[r];
      if (token < 0) continue;
      const int page = p.batch.pages[p.batch.page_begin[sequence] + token / kv.page_tokens];
      std::byte* keys = kv.base + static_cast<size_t>(page) * kv.page_bytes +
                        static_cast<size_t>(token % kv.page_tokens) * kv.token_bytes;
      for (int h = 0; h < kv.n_heads; ++h, keys += kv.head_bytes) {
        const int64_t from = (static_cast<int64_t>(r) * kv.n_heads + h) * kv.head_dim;
        store_rounded(p.k + from, kv, keys);
        store_rounded(p.v + from, kv, keys + kv.v_bytes);
      }
    }
  }

 private:
  static float square_root(float x) { return __builtin_sqrtf(x); }

  static float sum_of_squares(const float* x, int n) {
    Floats sums[4] = {L::zero(), L::zero(), L::zero(), L::zero()};
    int i = 0;
    for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        const Floats v = L::load(x + i + j * kLanes);
        sums[j] = L::fma(v, v, sums[j]);
      }
    }
    for (; i < n; i += kLanes) {
      const Floats v = L::load_first(x + i, n - i < kLanes ? n - i : kLanes);
      sums[0] = L::fma(v, v, sums[0]);
    }
    return L::sum(L::add(L::add(sums[0], sums[1]), L::add(sums[2], sums[3])));
  }

  // f(i, load, store) with loads and stores of whole vectors, then of what is left.
  template <class F>
  [[gnu::always_inline]] static void for_each_vector(int64_t begin, int64_t end, const F& f) {
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      f(
          i, [](const float* p) { return L::load(p); }, [](float* p, Floats v) { L::store(p, v); });
    }
    if (i < end) {
      const int rest = static_cast<int>(end - i);
      f(
          i, [rest](const float* p) { return L::load_first(p, rest); },
          [rest](float* p, Floats v) { L::store_first(p, v, rest); });
    }
  }

  [[gnu::always_inline]] static Floats activated(Floats x, Activation activation) {
    if (activation == Activation::silu) return times_sigmoid<L>(x, x);
    // ½ x (1 + tanh u) is x / (1 + e^−2u)
    constexpr float kTwiceSqrt2OverPi = 1.5957691216f;
    const Floats cubic = L::fma(L::mul(L::mul(x, x), x), L::splat(0.044715f), x);
    return times_sigmoid<L>(x, L::mul(cubic, L::splat(kTwiceSqrt2OverPi)));
  }

  static void store_rounded(const float* values, const KvLayer& kv, std::byte* out) {
    if (kv.dtype == KvDtype::f32) {
      __builtin_memcpy(out, values, static_cast<size_t>(kv.head_dim) * sizeof(float));
      return;
    }
    const bool is_f16 = kv.dtype == KvDtype::f16;
    const int whole = kv.head_dim / kLanes * kLanes;
    for (int i = 0; i < whole; i += kLanes) store_halves(L::load(values + i), is_f16, out + 2 * i);
    if (const int rest = kv.head_dim - whole; rest > 0) {
      std::byte halves[2 * kLanes];
      store_halves(L::load_first(values + whole, rest), is_f16, halves);
      __builtin_memcpy(out + 2 * whole, halves, static_cast<size_t>(2 * rest));
    }
  }
  [[gnu::always_inline]] static void store_halves(Floats v, bool is_f16, std::byte* out) {
    if (is_f16) {
      L::store_f16(out, v);
    } else {
      L::store_bf16(out, v);
    }
  }
};

}  // namespace
}  // namespace ferry
