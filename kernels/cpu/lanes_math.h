#pragma once
// Functions of vectors.

namespace ferry {
namespace {

// e^x to about 2⁻²³ of itself; 0 where x is so small that e^x is no normal number. x ≤ kLargestExponent.
constexpr float kSmallestExponent = -87.3f;
constexpr float kLargestExponent = 88.3f;

template <class L>
[[gnu::always_inline]] inline typename L::Floats exponential(typename L::Floats x) {
  constexpr float kLog2E = 1.44269504f;
  constexpr float kLn2High = 0.693359375f;  // few bits, so that its product with a whole number is exact
  constexpr float kLn2Low = -2.12194440e-4f;
  const typename L::Floats limited = L::max(x, L::splat(kSmallestExponent));
  const typename L::Floats whole = L::round(L::mul(limited, L::splat(kLog2E)));
  typename L::Floats rest = L::fma(whole, L::splat(-kLn2High), limited);
  rest = L::fma(whole, L::splat(-kLn2Low), rest);
  // |rest| ≤ ln 2 / 2, where the series to the seventh power errs by less than 2⁻²⁷.
  constexpr float kFactors[] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 1.0f / 2, 1.0f, 1.0f};
  typename L::Floats power = L::splat(1.0f / 5040);
  for (const float factor : kFactors) power = L::fma(power, rest, L::splat(factor));
  return L::zero_below(L::mul(power, L::power_of_two(whole)), L::splat(kSmallestExponent), x);
}

// x / (1 + e^−y)
template <class L>
[[gnu::always_inline]] inline typename L::Floats times_sigmoid(typename L::Floats x, typename L::Floats y) {
  const typename L::Floats negative = L::min(L::sub(L::zero(), y), L::splat(kLargestExponent));
  return L::div(x, L::add(L::splat(1), exponential<L>(negative)));
}

}  // namespace
}  // namespace ferry
