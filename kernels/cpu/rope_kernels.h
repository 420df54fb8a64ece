#pragma once
// Rotation of queries and keys by their positions. Sines and cosines are made once a row and used for all its heads.

#include "kernels/cpu/kernel_set.h"

namespace ferry {
namespace {

template <class L>
struct RopeKernels {
  using Floats = typename L::Floats;
  static constexpr int kLanes = L::kCount;
  static constexpr int kMaxPairs = kMaxHeadDim / 2;

  static void rope(const Rope& p, int row_begin, int row_end) {
    alignas(64) float cosines[kMaxPairs], sines[kMaxPairs];
    const int n_pairs = p.n_rotated / 2;
    for (int r = row_begin; r < row_end; ++r) {
      turn(p.positions[r], p.inverse_frequencies, n_pairs, cosines, sines);
      for (int h = 0; h < p.n_heads; ++h) {
        float* head = p.x + (static_cast<int64_t>(r) * p.n_heads + h) * p.head_dim;
        if (p.pairs == RopePairs::halves) {
          rotate_halves(head, head + n_pairs, n_pairs, cosines, sines);
        } else {
          rotate_neighbours(head, n_pairs, cosines, sines);
        }
      }
    }
  }

 private:
  // Angles in turns, as double: the fraction of a turn is what is left of a large product, so that needs many bits.
  static void turn(int position, const float* frequencies, int n_pairs, float* cosines, float* sines) {
    constexpr double kTurnsPerRadian = 0.15915494309189535;
    constexpr double kRounder = 0x1.8p52;  // adding and subtracting it rounds to a whole number
    constexpr float kPi = 3.14159265f;
    for (int i = 0; i < n_pairs; ++i) {
      const double quarters = 4 * kTurnsPerRadian * static_cast<double>(position) * static_cast<double>(frequencies[i]);
      const double shifted = quarters + kRounder;
      const double whole = shifted - kRounder;
      const float angle = static_cast<float>(quarters - whole) * (kPi / 2);  // |angle| ≤ π/4
      const float sine = sine_of(angle), cosine = cosine_of(angle);
      const int quarter = static_cast<int>(static_cast<int64_t>(whole) & 3);
      const float s = (quarter & 1) != 0 ? cosine : sine, c = (quarter & 1) != 0 ? sine : cosine;
      sines[i] = (quarter & 2) != 0 ? -s : s;
      cosines[i] = quarter == 1 || quarter == 2 ? -c : c;
    }
  }

  // The series on [−π/4, π/4] to where its error is below that of f32.
  [[gnu::always_inline]] static float sine_of(float x) {
    const float y = x * x;
    return x + x * y * (-1.0f / 6 + y * (1.0f / 120 + y * (-1.0f / 5040 + y * (1.0f / 362880))));
  }
  [[gnu::always_inline]] static float cosine_of(float x) {
    const float y = x * x;
    return 1 - y / 2 + y * y * (1.0f / 24 + y * (-1.0f / 720 + y * (1.0f / 40320 + y * (-1.0f / 3628800))));
  }

  static void rotate_halves(float* first, float* second, int n_pairs, const float* cosines, const float* sines) {
    int i = 0;
    for (; i + kLanes <= n_pairs; i += kLanes) {
      const Floats a = L::load(first + i), b = L::load(second + i), c = L::load(cosines + i), s = L::load(sines + i);
      L::store(first + i, L::sub(L::mul(a, c), L::mul(b, s)));
      L::store(second + i, L::add(L::mul(a, s), L::mul(b, c)));
    }
    for (; i < n_pairs; ++i) rotate_pair(first[i], second[i], cosines[i], sines[i]);
  }

  static void rotate_neighbours(float* head, int n_pairs, const float* cosines, const float* sines) {
    for (int i = 0; i < n_pairs; ++i) rotate_pair(head[2 * i], head[2 * i + 1], cosines[i], sines[i]);
  }

  [[gnu::always_inline]] static void rotate_pair(float& a, float& b, float cosine, float sine) {
    const float x = a, y = b;
    a = x * cosine - y * sine;
    b = x * sine + y * cosine;
  }
};

}  // namespace
}  // namespace ferry
